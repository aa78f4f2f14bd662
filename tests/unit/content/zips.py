"""ZIP archives made for tests."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path


def make_zip(
    path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], deflate: bool = True
) -> str:
    """An archive with these members in this order."""
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data, compress_type=method)
    return str(path)


def patch_central(path: str, offset: int, value: bytes, *, member: int = 0) -> None:
    """Overwrite bytes of one central directory header, `offset` from its signature."""
    data = bytearray(Path(path).read_bytes())
    at = -1
    for _ in range(member + 1):
        at = data.index(b"PK\1\2", at + 1)
    data[at + offset : at + offset + len(value)] = value
    Path(path).write_bytes(data)


def declare(path: str, *, size_bytes: int, crc: int | None = None) -> None:
    """Make the first member's central header lie about its size, and its CRC."""
    if crc is not None:
        patch_central(path, 16, struct.pack("<L", crc))
    patch_central(path, 24, struct.pack("<L", size_bytes))
