"""Metadata in the chunks of RIFF files: WebP (RFC 9649) and AVI (XMP specification, part 3)."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Final

from bulkup.content.picture.isobmff import MetadataBoxes

_EXIF, _XMP = b"EXIF", (b"XMP ", b"XMP\0", b"_PMX")
_MOST_BYTES: Final = 16 << 20
_MOST_CHUNKS: Final = 10_000


def riff_blocks(file: BinaryIO) -> MetadataBoxes:
    """The blocks, also those that the header does not announce; empty where there is none."""
    end = file.seek(0, io.SEEK_END)
    found: dict[bytes, bytes] = {}
    at = 12  # RIFF, a size, WEBP or AVI
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        kind, size = struct.unpack("<4sI", head)
        if size <= _MOST_BYTES and (kind == _EXIF or kind in _XMP) and at + size <= end:
            found.setdefault(_EXIF if kind == _EXIF else b"XMP", file.read(size))
        at += 8 + size + size % 2
    return MetadataBoxes(exif=found.get(_EXIF, b""), xmp=found.get(b"XMP", b""))
