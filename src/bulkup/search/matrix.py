"""The manifest's vectors as one memory-mapped matrix, derived from the manifest.

The manifest holds a BLOB a row; a search needs all rows in one array. A file beside the manifest
keeps them as float32. It is written under another name, renamed, and never changed: processes that
have mapped it keep their data, and two processes at once each write a complete file. Newer rows are
read from the manifest and kept in memory, until there are enough for a new file.

float32 because numpy multiplies it in place. `python -m benchmarks.search`, 2 cores,
100,000 x 1,280: float32 11 ms a query at 512 MB; float16 converted by numpy in blocks 180 ms,
searched by usearch 16 ms at 256 MB, for one more package to install and load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.search.matrix_file import Floats, MatrixPart, Stamp, read_part, write_part

Decode = Callable[[Sequence[bytes]], Floats]
"""BLOBs to float32 of shape (len(blobs), dimension)."""

_BATCH_ROWS: Final = 1024  # 5 MB of float32 at 1,280 a row
_LEAST_TO_WRITE: Final = 1000  # new rows: reading so many takes 10 ms, less than a new file
_SHARE_TO_WRITE: Final = 0.05  # of the file's rows


class MatrixRow(NamedTuple):
    """One embedding as the manifest has it."""

    row_id: int
    content_id: int
    blob: bytes


Rows = Callable[[int], Iterator[MatrixRow]]
"""Rows whose id is above the argument, in ascending order of id."""


class Matrix:
    """Vectors of all contents, in ascending order of row id. For one thread.

    `contents` are their content ids, shape (count,). Mapped memory stays valid whatever other
    processes do to the file.
    """

    def __init__(self, parts: Sequence[MatrixPart], dimension: int) -> None:
        self._parts = [part for part in parts if len(part.ids)]
        self.dimension = dimension
        ids = [part.ids[:, 1] for part in self._parts]
        self.contents: NDArray[np.int64] = np.concatenate(ids) if ids else np.empty(0, np.int64)
        self._at: dict[int, int] | None = None

    def __len__(self) -> int:
        return len(self.contents)

    def scores(self, query: Floats) -> Floats:
        """The scalar product of `query`, shape (dimension,), with every row: shape (count,)."""
        found = [part.vectors @ query for part in self._parts]
        return np.concatenate(found) if found else np.empty(0, np.float32)

    def blocks(self) -> Iterator[Floats]:
        """All rows in order, in blocks of shape (some, dimension); read only."""
        return (part.vectors for part in self._parts)

    def rows(self, at: NDArray[np.intp]) -> Floats:
        """The vectors at these places, shape (len(at), dimension), as a copy."""
        found = np.empty((len(at), self.dimension), np.float32)
        start = 0
        for part in self._parts:
            here = (at >= start) & (at < start + len(part.ids))
            found[here] = part.vectors[at[here] - start]
            start += len(part.ids)
        return found

    def place(self, content_id: int) -> int | None:
        """The row of this content, or None."""
        if self._at is None:
            self._at = {content: at for at, content in enumerate(self.contents.tolist())}
        return self._at.get(content_id)


def from_float16(dimension: int) -> Decode:
    """A Decode for the manifest's vectors: float16, little-endian."""

    def decode(blobs: Sequence[bytes]) -> Floats:
        return np.frombuffer(b"".join(blobs), "<f2").reshape(-1, dimension).astype(np.float32)

    return decode


def from_classes(most: int, to_rows: Callable[[NDArray[np.uint16], Floats], Floats]) -> Decode:
    """A Decode for the manifest's classes: up to `most` pairs of a uint16 number and a float16
    probability, little-endian; b'' for none.

    `to_rows` gets numbers and probabilities, both of shape (n, most), padded with 0.
    """
    pair = np.dtype([("number", "<u2"), ("probability", "<f2")])

    def decode(blobs: Sequence[bytes]) -> Floats:
        length = most * pair.itemsize
        whole = b"".join(blob[:length].ljust(length, b"\0") for blob in blobs)
        pairs = np.frombuffer(whole, pair).reshape(-1, most)
        return to_rows(
            np.ascontiguousarray(pairs["number"]), pairs["probability"].astype(np.float32)
        )

    return decode


def from_vectors_and_classes(
    dimension: int, most: int, to_rows: Callable[[NDArray[np.uint16], Floats, Floats], Floats]
) -> Decode:
    """A Decode for both at once: a vector as in `from_float16`, then classes as in `from_classes`.

    `to_rows` gets the vectors, too, of shape (n, dimension), as its last argument.
    """
    length = 2 * dimension

    def decode(blobs: Sequence[bytes]) -> Floats:
        vectors = from_float16(dimension)([blob[:length] for blob in blobs])
        classes = from_classes(most, lambda numbers, shares: to_rows(numbers, shares, vectors))
        return classes([blob[length:] for blob in blobs])

    return decode


def open_matrix(path: str, *, stamp: Stamp, dimension: int, rows: Rows, decode: Decode) -> Matrix:
    """The matrix of the rows that `stamp` describes, from the file at `path` as far as it is valid.

    Rows above `stamp.highest`, added meanwhile, are left for the next call. Where no file can be
    written (a read-only directory, a full disk) everything is kept in memory.
    Raises what `rows` and `decode` raise.
    """
    if stamp.count == 0:
        return Matrix([], dimension)
    kept = read_part(path, stamp, dimension)
    if kept is not None:
        later = _in_memory(_until(rows(int(kept.ids[-1, 0])), stamp), dimension, decode)
        if len(kept.ids) + len(later.ids) == stamp.count:
            return _with_later(path, stamp, dimension, kept, later)
    try:
        fresh = write_part(
            path, stamp, dimension, _blocks(_until(rows(0), stamp), dimension, decode)
        )
    except OSError:
        fresh = _in_memory(_until(rows(0), stamp), dimension, decode)
    return Matrix([fresh], dimension)


def _with_later(
    path: str, stamp: Stamp, dimension: int, kept: MatrixPart, later: MatrixPart
) -> Matrix:
    """Both parts; in a new file when the later one has become large."""
    if len(later.ids) > max(_LEAST_TO_WRITE, _SHARE_TO_WRITE * len(kept.ids)):
        with suppress(OSError):
            return Matrix([write_part(path, stamp, dimension, [*_cut(kept), later])], dimension)
    return Matrix([kept, later], dimension)


def _until(rows: Iterable[MatrixRow], stamp: Stamp) -> Iterator[MatrixRow]:
    for row in rows:
        if row.row_id > stamp.highest:
            return
        yield row


def _blocks(rows: Iterable[MatrixRow], dimension: int, decode: Decode) -> Iterator[MatrixPart]:
    source = iter(rows)
    while batch := list(islice(source, _BATCH_ROWS)):
        ids = np.array([(row.row_id, row.content_id) for row in batch], np.int64)
        vectors = decode([row.blob for row in batch])
        if vectors.shape != (len(batch), dimension):
            raise ValueError(f"vectors of shape {vectors.shape}, wanted (…, {dimension})")
        yield MatrixPart(ids, vectors)


def _in_memory(rows: Iterable[MatrixRow], dimension: int, decode: Decode) -> MatrixPart:
    blocks = list(_blocks(rows, dimension, decode))
    if not blocks:
        return MatrixPart(np.empty((0, 2), np.int64), np.empty((0, dimension), np.float32))
    return MatrixPart(
        np.concatenate([block.ids for block in blocks]),
        np.concatenate([block.vectors for block in blocks]),
    )


def _cut(part: MatrixPart) -> Iterator[MatrixPart]:
    for start in range(0, len(part.ids), _BATCH_ROWS):
        yield MatrixPart(
            part.ids[start : start + _BATCH_ROWS], part.vectors[start : start + _BATCH_ROWS]
        )
