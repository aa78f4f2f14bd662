"""The formats in which `export` writes rows. Imports pyarrow and numpy late.

JSON lines and NPZ preserve names: a byte that is not UTF-8 becomes `\\udcXX` (PEP 383), which
Python's readers turn back into the same name. CSV and Parquet hold only valid text: there such a
byte becomes `\\xNN`, and control characters are escaped as on a terminal.

A column `vector` holds little-endian float16 numbers, or None. They are written as an array of
numbers: in JSON lines and CSV as JSON, in Parquet as float32 of a fixed length. NPZ has instead
`vectors` (float16, n x d) and `digests` (n), each content once, and `embedder`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

from bulkup.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

ExportFormat = Literal["jsonl", "csv", "parquet", "npz"]
Rows = Iterable[Sequence[object]]
Escape = Callable[[str], str]

WHOLE = frozenset({"size_bytes", "width_px", "height_px", "orientation", "iso", "rating"})
REAL = frozenset(
    {"f_number", "exposure_seconds", "focal_length_mm", "latitude", "longitude", "altitude_metres"}
)
MOMENTS = frozenset({"modified_at", "missing_since"})
"""Columns that are numbers and times (ISO 8601, UTC, to the second). `keywords` is a JSON array of
strings; all others but `vector` are strings."""

_ALWAYS = frozenset({"size_bytes"})
"""Numbers that every file has."""

BINARY: frozenset[ExportFormat] = frozenset({"parquet", "npz"})
"""Formats that are not text."""

GROUP_ROWS = 50_000
"""In a row group of Parquet: about 20 MB in memory before compression."""
GROUP_ROWS_WITH_VECTORS = 5000
"""The same for rows with a vector of 1,280 numbers."""


def check_format(form: ExportFormat) -> None:
    """Raise UsageError if the library that the format needs is not installed."""
    assert form in get_args(ExportFormat)
    if form != "parquet":
        return
    from importlib.util import find_spec

    from bulkup.installation import extra_command

    if find_spec("pyarrow") is None:
        raise UsageError(
            "--format parquet needs pyarrow, which is not installed",
            hint=extra_command("parquet"),
        )


def write_rows(
    form: ExportFormat,
    columns: Sequence[str],
    rows: Rows,
    out: BinaryIO,
    *,
    escape: Escape,
    dimension: int = 0,
) -> int:
    """Write `rows`, whose cells have the order of `columns`; return the number of rows.

    `dimension` is the length of every vector, 0 if there is none. Memory does not grow with the
    number of rows, except for NPZ. `escape` makes any text safe for a terminal. `out` need not be
    seekable.
    """
    if form == "jsonl":
        return _jsonl(columns, rows, out)
    if form == "csv":
        return _csv(columns, rows, out, escape)
    if form == "parquet":
        return _parquet(columns, rows, out, escape, dimension)
    return _npz(columns, rows, out, dimension)


def _numbers(vector: Any) -> list[float] | None:
    """The numbers of the vector."""
    import numpy as np

    return None if vector is None else np.frombuffer(vector, "<f2").tolist()


def _jsonl(columns: Sequence[str], rows: Rows, out: BinaryIO) -> int:
    """One object per line, ASCII only."""
    encode = json.JSONEncoder().encode
    count = 0
    for row in rows:
        cells: dict[str, Any] = dict(zip(columns, row, strict=True))
        if "vector" in cells:
            cells["vector"] = _numbers(cells["vector"])
        if cells.get("keywords"):
            cells["keywords"] = json.loads(cells["keywords"])
        out.write(encode(cells).encode("ascii") + b"\n")
        count += 1
    return count


def _csv(columns: Sequence[str], rows: Rows, out: BinaryIO, escape: Escape) -> int:
    """A header line and the rows, UTF-8; None is an empty cell."""
    writer = csv.writer(_Utf8(out), lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_csv_cell(cell, escape) for cell in row])
        count += 1
    return count


class _Utf8:
    """Encodes what a csv.writer writes. A TextIOWrapper would close `out` when a write fails."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text.encode())


def _csv_cell(cell: object, escape: Escape) -> object:
    if isinstance(cell, bytes):
        return json.dumps(_numbers(cell), separators=(",", ":"))
    return escape(cell) if isinstance(cell, str) else cell


def _groups(rows: Rows, length: int) -> Iterator[list[Sequence[object]]]:
    remaining = iter(rows)
    while group := list(islice(remaining, length)):
        yield group


def _parquet(
    columns: Sequence[str], rows: Rows, out: BinaryIO, escape: Escape, dimension: int
) -> int:
    """Typed columns, a row group for every GROUP_ROWS rows, zstd."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([(column, _arrow_type(pa, column, dimension)) for column in columns])
    group_rows = GROUP_ROWS_WITH_VECTORS if "vector" in columns else GROUP_ROWS
    count = 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _groups(rows, group_rows):
            arrays = [
                _vectors(pa, cells, dimension)
                if column == "vector"
                else pa.array(_parquet_cells(column, cells, escape), schema.field(column).type)
                for column, cells in zip(columns, zip(*group, strict=True), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _arrow_type(pa: Any, column: str, dimension: int) -> pyarrow.DataType:
    if column == "vector":
        # Without vectors the length is unknown.
        return pa.list_(pa.float32(), dimension) if dimension else pa.list_(pa.float32())
    if column == "keywords":
        return pa.list_(pa.string())
    if column in WHOLE:
        return pa.int64()
    if column in REAL:
        return pa.float64()
    return pa.timestamp("s", tz="UTC") if column in MOMENTS else pa.string()


def _parquet_cells(column: str, cells: Iterable[Any], escape: Escape) -> list[Any]:
    if column in WHOLE or column in REAL:
        return list(cells)
    if column == "keywords":
        return [cell and [escape(word) for word in json.loads(cell)] for cell in cells]
    if column in MOMENTS:
        from datetime import datetime

        return [cell and datetime.fromisoformat(cell) for cell in cells]
    return [cell and escape(cell) for cell in cells]


def _vectors(pa: Any, cells: Sequence[Any], dimension: int) -> Any:
    """Vectors as float32, since few readers know float16."""
    import numpy as np

    if not dimension:
        return pa.nulls(len(cells), pa.list_(pa.float32()))
    found = np.zeros((len(cells), dimension), np.float32)
    for row, cell in zip(found, cells, strict=True):
        if cell is not None:
            row[:] = np.frombuffer(cell, "<f2")
    absent = pa.array([cell is None for cell in cells])
    return pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), dimension, mask=absent)


def _npz(columns: Sequence[str], rows: Rows, out: BinaryIO, dimension: int) -> int:
    """One array per column; None becomes NaT for a time, NaN for a number, '' for a string."""
    import numpy as np

    cells: list[list[Any]] = [[] for _ in columns]
    vectors: dict[str, bytes] = {}
    embedder, count = "", 0
    for row in rows:
        count += 1
        named: dict[str, Any] = dict(zip(columns, row, strict=True))
        if named.get("vector") is not None:
            vectors[named["digest"]] = named["vector"]
            embedder = named["embedder"]
        for column, cell in zip(cells, row, strict=True):
            column.append(cell)
    arrays = {}
    for name, column in zip(columns, cells, strict=True):
        if name not in ("vector", "embedder"):
            arrays[name] = _npz_array(np, name, column)
        column.clear()
    if "vector" in columns:
        arrays["embedder"] = np.array(embedder)
        arrays["digests"] = np.array(list(vectors), dtype=np.str_)
        flat = np.frombuffer(b"".join(vectors.values()), "<f2")
        arrays["vectors"] = flat.reshape(len(vectors), dimension)
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return count


def _npz_array(np: Any, name: str, column: list[Any]) -> Any:
    if name in _ALWAYS:
        return np.array(column, dtype=np.int64)
    if name in WHOLE or name in REAL:
        return np.array([np.nan if cell is None else cell for cell in column], dtype=np.float64)
    if name in MOMENTS:
        # datetime64 is UTC by definition and has no zone.
        moments = ["NaT" if cell is None else cell.removesuffix("Z") for cell in column]
        return np.array(moments, dtype="datetime64[s]")
    return np.array([cell or "" for cell in column], dtype=np.str_)
