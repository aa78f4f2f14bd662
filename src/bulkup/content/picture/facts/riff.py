"""Metadata in the chunks of RIFF files: WebP (RFC 9649) and AVI (XMP specification, part 3)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

_EXIF, _XMP, _LIST, _DATE = b"EXIF", (b"XMP ", b"XMP\0", b"_PMX"), b"LIST", b"IDIT"
_HEADERS: Final = (b"hdrl", b"INFO")  # the lists that may have a date
_FORMS: Final = (b"WEBP", b"AVI ")
_MOST_BYTES: Final = 16 << 20
_MOST_CHUNKS: Final = 10_000


class RiffBlocks(NamedTuple):
    """Metadata blocks, and the date of an AVI as its camera wrote it; each empty where there is
    none."""

    exif: bytes = b""
    xmp: bytes = b""
    date: str = ""


def riff_blocks(file: BinaryIO) -> RiffBlocks:
    """The blocks, also those that the header does not announce; none in files of other kinds."""
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] not in _FORMS:
        return RiffBlocks()
    exif, xmp, date = b"", b"", b""
    for kind, body in _chunks(file):
        if kind == _EXIF:
            exif = exif or body
        elif kind in _XMP:
            xmp = xmp or body
        else:
            date = date or body
    return RiffBlocks(exif, xmp, " ".join(date.split(b"\0")[0].decode("latin-1").split()))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The chunks with metadata, and those of the lists that may have a date."""
    at, end = 12, file.seek(0, io.SEEK_END)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 8:
            return
        kind, size = struct.unpack_from("<4sI", head)
        if kind == _LIST and head[8:] in _HEADERS:
            at += 12  # its chunks follow
            continue
        if kind in (_EXIF, _DATE, *_XMP) and size <= min(_MOST_BYTES, end - at):
            file.seek(at + 8)
            yield kind, file.read(size)
        at += 8 + size + size % 2
