"""Files compressed with Zstandard (RFC 8878). All functions block."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Final

LEVEL: Final = 3
"""zstd's own default: a manifest shrinks to a fifth, at some 200 MB/s."""

_CHUNK_BYTES: Final = 1024 * 1024


class NotCompressed(ValueError):
    """The bytes are no Zstandard frame, or a damaged one."""


def compress_file(source: str, target: str) -> tuple[str, int]:
    """Write `source`, compressed, to `target`; the SHA-256 and the size of what was written."""
    import zstandard

    found, size_bytes = sha256(), 0
    with open(source, "rb") as reader, open(target, "wb") as writer:
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        chunks = compressor.read_to_iter(
            reader, size=os.fstat(reader.fileno()).st_size, write_size=_CHUNK_BYTES
        )
        for chunk in chunks:
            found.update(chunk)
            size_bytes += len(chunk)
            writer.write(chunk)
    return found.hexdigest(), size_bytes


def decompress_file(source: str, target: str) -> None:
    """Write the content of `source`, which is compressed, to `target`. Raises NotCompressed."""
    import zstandard

    with open(source, "rb") as reader, open(target, "wb") as writer:
        try:
            zstandard.ZstdDecompressor().copy_stream(reader, writer)
        except zstandard.ZstdError as error:
            raise NotCompressed(str(error)) from error
