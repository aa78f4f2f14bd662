"""Raw pictures: the preview that they contain, and their own size and orientation.

By LibRaw where the extra `raw` is installed, and by the TIFF directories that most raw formats
consist of.
"""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from PIL import Image

from bulkup.content.picture.facts import exif

# TIFF 6.0: size, compression, strips; the old JPEG fields, and SubIFDs (TIFF Supplement 1).
_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 256, 257, 259, 262
_STRIPS, _STRIP_BYTES, _SUB_IFDS, _JPEG_AT, _JPEG_BYTES = 273, 279, 330, 513, 514
_SENSOR_DATA: Final = (32803, 34892)  # colour filter array, and linear raw (DNG 1.7)
_TOP, _LEFT, _BOTTOM, _RIGHT = 4, 5, 6, 7  # of the sensor, in Panasonic's first directory
_PANASONIC: Final = b"IIU\0"
_FUJIFILM: Final = b"FUJIFILMCCD-RAW "
_FUJIFILM_PREVIEW_AT: Final = 84  # offset and length of the preview
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_TYPE_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4}
_MOST_IFDS: Final = 64
_MOST_ENTRIES: Final = 2000
_LEAST_BYTES: Final = 1024  # smaller ones are no previews
_BLOCK_BYTES: Final = 1 << 20

Fields = dict[int, tuple[int, ...]]


class RawPicture(NamedTuple):
    """What is known of a raw picture without developing it.

    `size_px` is the sensor's width and height, before `orientation`; None when it is unknown. The
    orientation is 1 where the file has no TIFF directory.
    """

    preview: bytes | None
    size_px: tuple[int, int] | None
    tags: Image.Exif
    orientation: int


def has_libraw() -> bool:
    """Whether the extra `raw` is installed."""
    return importlib.util.find_spec("rawpy") is not None


def read_raw(file: BinaryIO) -> RawPicture:
    """The largest embedded picture, and what the file says about itself."""
    preview, size_px = _by_libraw(file) if has_libraw() else (None, None)
    fields = _all_fields(file)
    tags = raw_tags(file)
    return RawPicture(
        _fujifilm_preview(file) or preview or _largest_jpeg(file, fields),
        _panasonic_size(file, fields) or _sensor_size(fields) or size_px or _pixel_size(tags),
        tags,
        exif.orientation(tags),
    )


def turn_of_preview(
    raw: RawPicture, file: BinaryIO, size_px: tuple[int, int], tags: Image.Exif
) -> int:
    """The orientation that still has to be applied to a preview of this size with these tags.

    Some cameras store the preview as the sensor lies, and some turn it upright. A quarter turn
    shows in its shape. Otherwise its own orientation counts, if it has one: LibRaw adds the raw
    file's to previews without EXIF.
    """
    own = exif.orientation(tags)
    if raw.orientation == 1:
        return own
    if raw.orientation >= 5 and raw.size_px is not None and _is_wide(raw.size_px) is not None:
        is_upright = _is_wide(size_px) is not _is_wide(raw.size_px)
        return 1 if is_upright else raw.orientation
    is_own = exif.ORIENTATION in tags and raw.preview and _contains(file, raw.preview[:256])
    return own if is_own else raw.orientation


def _is_wide(size_px: tuple[int, int]) -> bool | None:
    """None for a square."""
    return None if size_px[0] == size_px[1] else size_px[0] > size_px[1]


def _contains(file: BinaryIO, data: bytes) -> bool:
    file.seek(0)
    tail = b""
    while block := file.read(_BLOCK_BYTES):
        if data in tail + block:
            return True
        tail = block[-len(data) :]
    return False


def raw_tags(file: BinaryIO) -> Image.Exif:
    """The EXIF of a file that is a TIFF; empty for others."""
    tags = Image.Exif()
    file.seek(0)
    if file.read(2) in (b"II", b"MM"):
        file.seek(0)
        try:
            tags.load_from_fp(file)
        except exif.BROKEN:
            return Image.Exif()
    return tags


def _by_libraw(file: BinaryIO) -> tuple[bytes | None, tuple[int, int] | None]:
    """The preview as a file of its own, and the sensor's size."""
    import rawpy

    file.seek(0)
    size_px = None
    try:
        with rawpy.imread(file) as raw:
            size_px = raw.sizes.width, raw.sizes.height
            found = raw.extract_thumb()
    except (rawpy.LibRawError, OSError, ValueError):
        return None, size_px
    if isinstance(found.data, bytes):  # a JPEG
        return found.data, size_px
    out = io.BytesIO()
    Image.fromarray(found.data).save(out, "PPM")
    return out.getvalue(), size_px


def _fujifilm_preview(file: BinaryIO) -> bytes | None:
    """The preview of a RAF file as it is: LibRaw may replace the metadata in it by its own."""
    file.seek(0)
    head = file.read(_FUJIFILM_PREVIEW_AT + 8)
    if not head.startswith(_FUJIFILM) or len(head) < _FUJIFILM_PREVIEW_AT + 8:
        return None
    at, size = struct.unpack_from(">II", head, _FUJIFILM_PREVIEW_AT)
    file.seek(at)
    preview = file.read(size)
    return preview if preview.startswith(b"\xff\xd8\xff") else None


def _panasonic_size(file: BinaryIO, fields: list[Fields]) -> tuple[int, int] | None:
    """The sensor between its borders: of what LibRaw shows, a few pixels belong to the borders."""
    file.seek(0)
    if not fields or file.read(4) != _PANASONIC:
        return None
    top, left, bottom, right = (
        fields[0].get(tag, (0,))[0] for tag in (_TOP, _LEFT, _BOTTOM, _RIGHT)
    )
    return (right - left, bottom - top) if left < right and top < bottom else None


def _sensor_size(fields: list[Fields]) -> tuple[int, int] | None:
    sizes = [
        (one[_WIDTH][0], one[_HEIGHT][0])
        for one in fields
        if _WIDTH in one and _HEIGHT in one and one.get(_PHOTOMETRIC, (0,))[0] in _SENSOR_DATA
    ]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _pixel_size(tags: Image.Exif) -> tuple[int, int] | None:
    """The size by EXIF's PixelXDimension and PixelYDimension."""
    try:
        pixels = tags.get_ifd(exif.EXIF_IFD)
        width, height = int(pixels[_PIXEL_WIDTH]), int(pixels[_PIXEL_HEIGHT])
    except exif.BROKEN:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _largest_jpeg(file: BinaryIO, fields: list[Fields]) -> bytes | None:
    best = (0, 0)
    try:
        for at, size in _jpegs(fields):
            file.seek(at)
            if size > best[1] and file.read(3) == b"\xff\xd8\xff":
                best = (at, size)
    except (OSError, ValueError, OverflowError):
        pass  # the directories are damaged: keep what was found before
    at, size = best
    if size < _LEAST_BYTES:
        return None
    file.seek(at)
    return file.read(size)


def _jpegs(fields: list[Fields]) -> Iterator[tuple[int, int]]:
    """Where JPEG streams may be: offset and length."""
    for one in fields:
        if _JPEG_AT in one and _JPEG_BYTES in one:
            yield one[_JPEG_AT][0], one[_JPEG_BYTES][0]
        elif one.get(_COMPRESSION, (0,))[0] in (6, 7) and len(one.get(_STRIPS, ())) == 1:
            yield one[_STRIPS][0], one.get(_STRIP_BYTES, (0,))[0]


def _all_fields(file: BinaryIO) -> list[Fields]:
    """The whole-number fields of all directories of a TIFF, SubIFDs included."""
    file.seek(0)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        return []
    found: list[Fields] = []
    seen: set[int] = set()
    try:
        file.seek(4)
        queue = list(struct.unpack(order + "I", file.read(4)))
        while queue and len(seen) < _MOST_IFDS:
            at = queue.pop(0)
            if at == 0 or at in seen:
                continue
            seen.add(at)
            try:
                fields, following = _directory(file, order, at)
            except struct.error:
                continue
            queue += [following, *fields.get(_SUB_IFDS, ())]
            found.append(fields)
    except (struct.error, OSError, ValueError, OverflowError):
        pass
    return found


def _directory(file: BinaryIO, order: str, at: int) -> tuple[Fields, int]:
    """The whole-number fields of the directory at `at`, and the offset of the next one."""
    file.seek(at)
    (count,) = struct.unpack(order + "H", file.read(2))
    entries = file.read(12 * min(count, _MOST_ENTRIES))
    tail = file.read(4)
    following = struct.unpack(order + "I", tail)[0] if len(tail) == 4 else 0
    fields: Fields = {}
    for tag, kind, values, place in struct.iter_unpack(order + "HHI4s", entries):
        size = _TYPE_BYTES.get(kind)
        if size is None or not 1 <= values <= _MOST_IFDS:
            continue
        data = place
        if size * values > 4:
            file.seek(struct.unpack(order + "I", place)[0])
            data = file.read(size * values)
        letter = {1: "B", 2: "H", 4: "I"}[size]
        fields[tag] = struct.unpack_from(f"{order}{values}{letter}", data)
    return fields, following
