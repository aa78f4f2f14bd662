"""Boxes of HEIF and AVIF files, of JPEG 2000, and of videos (ISO/IEC 14496-12).

Of a picture's primary item they say how it is cropped and turned, and its colours: Pillow's AVIF
plugin and libheif apply some of these properties, and do not say which (ISO/IEC 23008-12 and
23000-22).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import BinaryIO, Final, NamedTuple

_MOST_META_BYTES: Final = 16 << 20
_MOST_BOX_BYTES: Final = 1 << 42  # 4 TiB; a seek beyond what a file may have is an error
_MOST_BOXES: Final = 100_000
_ZERO_SIZES: Final = (0, 1)  # "to the end of the file", and "64 bits follow"

_EPOCH: Final = datetime(1904, 1, 1, tzinfo=UTC)
_XMP_UUID: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC_UUID: Final = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_WITH_PROFILE: Final = (b"\2", b"\3")  # methods of JPEG 2000: a restricted profile, any profile
_EXIF_UUIDS: Final = (b"JpgTiffExif->JP2", bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"))

# EXIF orientations by quarter turns; and those by axis, 0 for up and down, and quarter turns.
_TURNS: Final = (1, 8, 3, 6)
_MIRRORED_TURNS: Final = ((4, 5, 2, 7), (2, 7, 4, 5))


_BRANDS_BYTES: Final = 256
_KNOWN_BRANDS: Final = (b"avif", b"heic", b"heix", b"avis", b"hevc", b"hevx", b"mif1", b"msf1")


class PrimaryItem(NamedTuple):
    """Properties of the picture that is shown.

    `crop` is left, top, right and bottom of the clean aperture in pixels as they are coded, before
    any turn. `turn` is the EXIF orientation that `irot` and `imir` together mean, None without
    either. `nclx` are the code points of primaries and transfer.
    """

    brands: frozenset[bytes] = frozenset()
    crop: tuple[int, int, int, int] | None = None
    turn: int | None = None
    nclx: tuple[int, int] | None = None


def primary_item(file: BinaryIO) -> PrimaryItem:
    """Read the boxes; what is damaged or missing counts as absent."""
    file.seek(0)
    brands: frozenset[bytes] = frozenset()
    try:
        for kind, body in _top_boxes(file):
            if kind == b"ftyp":
                brands = frozenset(body[at : at + 4] for at in (0, *range(8, len(body) - 3, 4)))
            elif kind == b"meta":
                return _primary(body[4:], brands)
    except (struct.error, ZeroDivisionError, IndexError, OverflowError):
        pass
    return PrimaryItem(brands)


def with_known_brand(file: BinaryIO) -> BinaryIO:
    """The file; a copy with another major brand where a compatible brand is better known."""
    head = file.read(_BRANDS_BYTES)
    file.seek(0)
    if head[4:8] != b"ftyp" or head[8:12] in _KNOWN_BRANDS:
        return file
    end = min(int.from_bytes(head[:4], "big"), len(head))  # the box may claim 4 GB
    listed = [head[at : at + 4] for at in range(16, end - 3, 4)]
    known = next((brand for brand in _KNOWN_BRANDS if brand in listed), None)
    if known is None:
        return file
    body = file.read()
    file.seek(0)
    return io.BytesIO(body[:8] + known + body[12:])


class MetadataBoxes(NamedTuple):
    """Metadata blocks of a file, each empty where there is none."""

    exif: bytes = b""
    iptc: bytes = b""
    xmp: bytes = b""


def metadata_boxes(file: BinaryIO) -> MetadataBoxes:
    """The `uuid` boxes of a JPEG 2000 file (ISO/IEC 15444-1, I.7.2; XMP specification, part 3)."""
    file.seek(0)
    found: dict[bytes, bytes] = {}
    try:
        for kind, size in _box_heads(file, None):
            if kind == b"uuid" and 16 < size <= _MOST_META_BYTES:
                found.setdefault(file.read(16), file.read(size - 16))
    except struct.error:
        pass
    exif = next((found[uuid] for uuid in _EXIF_UUIDS if uuid in found), b"")
    return MetadataBoxes(exif, found.get(_IPTC_UUID, b""), found.get(_XMP_UUID, b""))


def jpeg_2000_profile(file: BinaryIO) -> bytes:
    """The ICC profile of a JPEG 2000 file (ISO/IEC 15444-1, I.5.3.3); empty where it has none."""
    file.seek(0)
    try:
        for kind, size in _box_heads(file, None):
            if kind == b"jp2h" and size <= _MOST_META_BYTES:
                bodies = [body for name, body in _boxes(file.read(size)) if name == b"colr"]
                return next((body[3:] for body in bodies if body[:1] in _WITH_PROFILE), b"")
    except struct.error:
        pass
    return b""


def sequence_created(file: BinaryIO) -> datetime | None:
    """When an image sequence in HEIF or AVIF was made (`mvhd`, ISO/IEC 14496-12, 8.2.2)."""
    file.seek(0)
    try:
        for kind, size in _box_heads(file, None):
            if kind != b"moov":
                continue
            for inner, _ in _box_heads(file, file.tell() + size):
                if inner == b"mvhd":
                    code, width = (">Q", 8) if file.read(4)[:1] == b"\1" else (">I", 4)
                    (seconds,) = struct.unpack(code, file.read(width))
                    return _EPOCH + timedelta(seconds=seconds) if seconds else None
    except (struct.error, OverflowError):
        pass
    return None


def motion_video_at(file: BinaryIO) -> int | None:
    """Where the video in a HEIF motion photo begins (`mpvd`, Motion Photo format 1.0, Android)."""
    file.seek(0)
    try:
        for kind, size in _box_heads(file, None):
            if kind == b"mpvd" and size > 8:
                return file.tell()
    except struct.error:
        pass
    return None


def xmp_packet(file: BinaryIO) -> bytes:
    """The XMP packet of a video: a `uuid` box (XMP specification, part 3, 1.2.7.1), or QuickTime's
    `XMP_` in the user data; empty where there is none."""
    file.seek(0)
    try:
        for kind, size in _box_heads(file, None):
            if kind == b"uuid" and size > 16 and file.read(16) == _XMP_UUID:
                return file.read(min(size - 16, _MOST_META_BYTES))
            if kind == b"moov" and (packet := _user_data_xmp(file, size)):
                return packet
    except struct.error:
        pass
    return b""


def _user_data_xmp(file: BinaryIO, moov_bytes: int) -> bytes:
    for kind, size in _box_heads(file, file.tell() + moov_bytes):
        if kind == b"udta":
            for inner, inner_size in _box_heads(file, file.tell() + size):
                if inner == b"XMP_":
                    return file.read(min(inner_size, _MOST_META_BYTES))
    return b""


def _top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """`ftyp` and `meta` of the file, with their contents."""
    for kind, size in _box_heads(file, None):
        if kind in (b"ftyp", b"meta") and size <= _MOST_META_BYTES:
            yield kind, file.read(size)


def _box_heads(file: BinaryIO, end: int | None) -> Iterator[tuple[bytes, int]]:
    """Kind and size of the contents of each box up to `end`, with the file at the contents."""
    at = file.tell()
    for _ in range(_MOST_BOXES):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or (end is not None and at >= end):
            return
        size, kind = struct.unpack(">I4s", head)
        before = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            before = 16
        if not before <= size <= _MOST_BOX_BYTES:
            return
        at += size
        yield kind, size - before


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size in _ZERO_SIZES or size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _primary(meta: bytes, brands: frozenset[bytes]) -> PrimaryItem:
    boxes = dict(_boxes(meta))
    pitm = boxes[b"pitm"] if b"pitm" in boxes else bytes(6)
    (item,) = struct.unpack_from(">H" if pitm[0] == 0 else ">I", pitm, 4)
    properties = boxes.get(b"iprp", b"")
    found: dict[bytes, bytes] = {}
    listed = [one for kind, body in _boxes(properties) if kind == b"ipco" for one in _boxes(body)]
    for kind, body in _boxes(properties):
        for index in _associated(body, item) if kind == b"ipma" else ():
            if 1 <= index <= len(listed):
                name, value = listed[index - 1]
                if name != b"colr" or value.startswith(b"nclx"):  # an item may have two `colr`
                    found.setdefault(name, value)
    nclx = None
    if b"colr" in found:
        primaries, transfer = struct.unpack_from(">HH", found[b"colr"], 4)
        nclx = primaries, transfer
    return PrimaryItem(brands, _crop(found), _turn(found), nclx)


def _associated(ipma: bytes, item: int) -> list[int]:
    """Indices, from 1, of the item's properties, in their order."""
    version, flags = ipma[0], ipma[3]
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, _MOST_BOXES)):
        (number,) = struct.unpack_from(">H" if version < 1 else ">I", ipma, at)
        at += 2 if version < 1 else 4
        properties = ipma[at]
        at += 1
        size = 2 if flags & 1 else 1
        values = ipma[at : at + properties * size]
        at += properties * size
        if number == item:
            if size == 1:
                return [value & 0x7F for value in values]
            return [value & 0x7FFF for (value,) in struct.iter_unpack(">H", values)]
    return []


def _turn(found: dict[bytes, bytes]) -> int | None:
    """Quarter turns counter-clockwise, then a mirror (ISO/IEC 23000-22, 7.3.6.7)."""
    if b"irot" not in found and b"imir" not in found:
        return None
    quarters = found[b"irot"][0] & 3 if b"irot" in found else 0
    if b"imir" not in found:
        return _TURNS[quarters]
    return _MIRRORED_TURNS[found[b"imir"][0] & 1][quarters]


def _crop(found: dict[bytes, bytes]) -> tuple[int, int, int, int] | None:
    """The clean aperture (ISO/IEC 14496-12, 12.1.4) inside the picture; None when it is none."""
    if b"clap" not in found or b"ispe" not in found:
        return None
    width, height = struct.unpack_from(">II", found[b"ispe"], 4)
    numbers = struct.unpack_from(">IIIIiIiI", found[b"clap"])
    across, down, right, below = (
        Fraction(above, under) for above, under in zip(numbers[::2], numbers[1::2], strict=True)
    )
    left = right + Fraction(width - 1, 2) - (across - 1) / 2
    top = below + Fraction(height - 1, 2) - (down - 1) / 2
    box = (round(left), round(top), round(left + across), round(top + down))
    if not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
        return None
    return None if box == (0, 0, width, height) else box
