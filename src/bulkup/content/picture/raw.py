"""The preview that a raw picture carries: by LibRaw where the extra `raw` is installed, else by
following the TIFF directories that most raw formats are made of."""

from __future__ import annotations

import importlib.util
import io
import struct
from typing import BinaryIO, Final

from PIL import Image

# TIFF 6.0: compression, strips; the old JPEG fields, and the tree of SubIFDs (TIFF Supplement 1).
_COMPRESSION, _STRIPS, _STRIP_BYTES = 259, 273, 279
_JPEG_AT, _JPEG_BYTES, _SUB_IFDS = 513, 514, 330
_TYPE_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4}
_MOST_IFDS: Final = 64
_MOST_ENTRIES: Final = 2000
_LEAST_BYTES: Final = 1024  # smaller ones are no previews


def has_libraw() -> bool:
    """The extra `raw` is installed."""
    return importlib.util.find_spec("rawpy") is not None


def preview_of(file: BinaryIO) -> bytes | None:
    """The largest embedded picture, as a file of its own; None when none is found."""
    by_libraw = _by_libraw(file) if has_libraw() else None
    return by_libraw or _largest_jpeg(file)


def orientation_of(file: BinaryIO) -> tuple[Image.Exif, int]:
    """The raw file's own EXIF, where it is a TIFF, and the orientation in it; 1 elsewhere."""
    from bulkup.content.picture import exif

    tags = Image.Exif()
    file.seek(0)
    if file.read(2) in (b"II", b"MM"):
        file.seek(0)
        try:
            tags.load_from_fp(file)
        except exif.BROKEN:
            return Image.Exif(), 1
    return tags, exif.orientation(tags)


def _by_libraw(file: BinaryIO) -> bytes | None:
    import rawpy

    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            found = raw.extract_thumb()
    except (rawpy.LibRawError, OSError, ValueError):
        return None
    if isinstance(found.data, bytes):  # a JPEG
        return found.data
    out = io.BytesIO()
    Image.fromarray(found.data).save(out, "PPM")
    return out.getvalue()


def _largest_jpeg(file: BinaryIO) -> bytes | None:
    best = (0, 0)
    try:
        for at, size in _jpegs(file):
            file.seek(at)
            if size > best[1] and file.read(3) == b"\xff\xd8\xff":
                best = (at, size)
    except (struct.error, OSError, ValueError, OverflowError):
        pass  # the directories are damaged: what was found before that still counts
    at, size = best
    if size < _LEAST_BYTES:
        return None
    file.seek(at)
    return file.read(size)


def _jpegs(file: BinaryIO) -> list[tuple[int, int]]:
    """Where JPEG streams may lie: (offset, bytes), by a walk over all directories."""
    file.seek(0)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        return []
    file.seek(4)
    todo, seen = list(struct.unpack(order + "I", file.read(4))), set[int]()
    found: list[tuple[int, int]] = []
    while todo and len(seen) < _MOST_IFDS:
        at = todo.pop(0)
        if at == 0 or at in seen:
            continue
        seen.add(at)
        try:
            fields, following = _directory(file, order, at)
        except struct.error:
            continue
        todo += [following, *fields.get(_SUB_IFDS, ())]
        if _JPEG_AT in fields and _JPEG_BYTES in fields:
            found.append((fields[_JPEG_AT][0], fields[_JPEG_BYTES][0]))
        elif fields.get(_COMPRESSION, (0,))[0] in (6, 7) and len(fields.get(_STRIPS, ())) == 1:
            found.append((fields[_STRIPS][0], fields.get(_STRIP_BYTES, (0,))[0]))
    return found


def _directory(file: BinaryIO, order: str, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """The whole-number fields of the directory at `at`, and where the next one is."""
    file.seek(at)
    (count,) = struct.unpack(order + "H", file.read(2))
    entries = file.read(12 * min(count, _MOST_ENTRIES))
    tail = file.read(4)
    following = struct.unpack(order + "I", tail)[0] if len(tail) == 4 else 0
    fields: dict[int, tuple[int, ...]] = {}
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
