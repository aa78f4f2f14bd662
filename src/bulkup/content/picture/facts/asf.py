"""The date of ASF and WMV files, which FFmpeg leaves out."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

_HEADER: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FILE_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_MOST_OBJECTS: Final = 100


def asf_date(file: BinaryIO) -> str:
    """The creation date in the file properties (ASF specification, 3.2), UTC in ISO 8601; empty in
    files of other kinds and where there is none."""
    file.seek(0)
    head = file.read(30)
    if len(head) < 30 or head[:16] != _HEADER:
        return ""
    at = len(head)
    for _ in range(_MOST_OBJECTS):
        file.seek(at)
        kind_and_size = file.read(24)
        if len(kind_and_size) < 24:
            return ""
        (size,) = struct.unpack("<Q", kind_and_size[16:])
        if kind_and_size[:16] == _FILE_PROPERTIES:
            return _moment(file.read(32)[24:])
        if not 24 <= size < 1 << 32:
            return ""
        at += size
    return ""


def _moment(filetime: bytes) -> str:
    if len(filetime) < 8:
        return ""
    (ticks,) = struct.unpack("<Q", filetime)
    try:
        return (_EPOCH + timedelta(microseconds=ticks // 10)).isoformat() if ticks else ""
    except OverflowError:
        return ""
