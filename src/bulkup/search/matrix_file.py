"""The file of a matrix: its format, writing it, and checking it.

Format, little-endian: a block of 4,096 bytes that holds MAGIC, the length and CRC-32 of a JSON
object, and this object (key, generation, highest row id, count, dimension, CRC-32 of the tail);
`count` rows of float32; then the tail: int64 pairs of row id and content id, and a float32
checksum for each row, so that a page that never reached the disk is detected before a search.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MAGIC: Final = b"bulkup matrix 1\n"
_HEAD_BYTES: Final = 4096
_TOLERANCE: Final = 1e-3
"""Of a row's checksum: it differs by 1e-5 between BLAS libraries, by 0.1 for a lost page."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the manifest knows of its rows without reading them.

    Row ids only grow. `key` identifies the rows: the manifest, the embedder and its version,
    and the kind of rows. `generation` changes whenever a row is changed or removed.
    """

    key: str
    generation: int
    highest: int  # row id; 0 when there are no rows
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class MatrixPart:
    """Consecutive rows: those of the file, or newer ones."""

    ids: NDArray[np.int64]  # (count, 2): row id, content id
    vectors: Floats  # (count, dimension)


@dataclass(frozen=True, slots=True)
class _FileHeader:
    key: str
    generation: int
    highest: int
    count: int
    dimension: int
    tail_crc: int


def read_part(path: str, stamp: Stamp, dimension: int) -> MatrixPart | None:
    """The rows of the file, memory-mapped, if it is complete and up to date; else None."""
    try:
        with Path(path).open("rb") as file:
            return _mapped(file, stamp, dimension)
    except (OSError, ValueError, TypeError, KeyError):  # missing, or another file
        return None


def _mapped(file: BinaryIO, stamp: Stamp, dimension: int) -> MatrixPart | None:
    head = _read_head(file)
    if (head.key, head.generation, head.dimension) != (stamp.key, stamp.generation, dimension):
        return None
    if not (0 < head.count <= stamp.count and head.highest <= stamp.highest):
        return None
    tail_at = _HEAD_BYTES + head.count * dimension * 4
    if os.fstat(file.fileno()).st_size != tail_at + head.count * 20:
        return None
    file.seek(tail_at)
    tail = file.read()
    if zlib.crc32(tail) != head.tail_crc:
        return None
    ids = np.frombuffer(tail, "<i8", head.count * 2).reshape(-1, 2)
    sums = np.frombuffer(tail, "<f4", head.count, offset=ids.nbytes)
    shape = (head.count, dimension)
    # The mapping as a plain array: np.memmap's own class makes each slice and product slower.
    vectors = np.asarray(np.memmap(file, "<f4", "r", _HEAD_BYTES, shape))
    with np.errstate(all="ignore"):
        is_whole = np.abs(_sums(vectors) - sums) <= _TOLERANCE * (1 + np.abs(sums))
    if not bool(np.all(is_whole)):
        return None
    return MatrixPart(ids, vectors)


def _sums(vectors: Floats) -> Floats:
    """A checksum of each row: the sum of its values, weighted by their position."""
    weights = np.linspace(1, 2, vectors.shape[1], dtype=np.float32)
    with np.errstate(all="ignore"):  # damaged bytes may be any number
        sums: Floats = vectors @ weights
    return sums


def write_part(path: str, stamp: Stamp, dimension: int, blocks: Iterable[MatrixPart]) -> MatrixPart:
    """Write the rows to a new file, rename it to `path`, and map it. Raises OSError.

    The file is locked while it is written: an unlocked temporary file belongs to a killed process.
    """
    folder, name = os.path.split(os.path.abspath(path))
    _sweep(folder, name)
    descriptor, part = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
    with os.fdopen(descriptor, "w+b") as file:
        try:
            with suppress(OSError):  # without file locks nothing is swept
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = _fill(file, stamp, dimension, blocks)
            # Before the rename: a crash must not leave the name without the bytes.
            os.fsync(descriptor)
            Path(part).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(part).unlink()
            raise
        file.seek(0)
        found = _mapped(
            file, Stamp(stamp.key, stamp.generation, head.highest, head.count), dimension
        )
    if found is None:
        raise OSError(f"{path} does not read as it was written")
    return found


def _fill(
    file: BinaryIO, stamp: Stamp, dimension: int, blocks: Iterable[MatrixPart]
) -> _FileHeader:
    """Write all of it; the header, which makes it valid, last."""
    ids: list[NDArray[np.int64]] = []
    sums: list[Floats] = []
    file.seek(_HEAD_BYTES)
    for block in blocks:
        vectors = np.ascontiguousarray(block.vectors, "<f4")
        file.write(vectors.data)
        ids.append(block.ids)
        sums.append(_sums(vectors))
    tail = b"".join(array.astype("<i8").tobytes() for array in ids)
    tail += b"".join(array.astype("<f4").tobytes() for array in sums)
    file.write(tail)
    count = sum(map(len, ids))
    highest = int(ids[-1][-1, 0]) if ids else 0
    head = _FileHeader(stamp.key, stamp.generation, highest, count, dimension, zlib.crc32(tail))
    file.seek(0)
    file.write(_head_block(head))
    file.flush()
    return head


def _head_block(head: _FileHeader) -> bytes:
    text = json.dumps(asdict(head)).encode()
    block = MAGIC + len(text).to_bytes(4, "little") + zlib.crc32(text).to_bytes(4, "little") + text
    if len(block) > _HEAD_BYTES:
        raise ValueError("the key is too long")
    return block.ljust(_HEAD_BYTES, b"\0")


def _read_head(file: BinaryIO) -> _FileHeader:
    """Raises ValueError, TypeError or KeyError for anything else."""
    block = file.read(_HEAD_BYTES)
    at = len(MAGIC)
    length, crc = (int.from_bytes(block[at + i : at + i + 4], "little") for i in (0, 4))
    text = block[at + 8 : at + 8 + length]
    if not block.startswith(MAGIC) or len(text) != length or zlib.crc32(text) != crc:
        raise ValueError("no matrix")
    return _FileHeader(**json.loads(text))


def _sweep(folder: str, name: str) -> None:
    """Remove the temporary files of killed processes."""
    with suppress(OSError):
        for part in Path(folder).glob(f".{glob.escape(name)}.*.part"):
            with suppress(OSError), part.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()
