"""The forms in which `export` writes rows. Only here are pyarrow and numpy imported, and late.

JSON lines and NPZ give names back as they are: a byte that is no UTF-8 stands as `\\udcXX`
(PEP 383), which Python's own readers turn into the same name. CSV and Parquet hold valid text
only: there such a byte stands as `\\xNN`, and control characters are escaped, as on a terminal.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

from bulkup.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

Format = Literal["jsonl", "csv", "parquet", "npz"]
Rows = Iterable[Sequence[object]]
Escape = Callable[[str], str]

WHOLE = frozenset({"size_bytes"})
MOMENTS = frozenset({"modified_at", "missing_since"})
"""Columns that are numbers and times (ISO 8601, UTC, to the second); all others are texts."""

BINARY: frozenset[Format] = frozenset({"parquet", "npz"})
"""What nobody wants on a terminal."""

GROUP_ROWS = 50_000
"""In a row group of Parquet: some 20 MB before compression, and what is held in memory."""


def check_format(form: Format) -> None:
    """Raise UsageError when the library that the format needs is not installed."""
    module = {"parquet": "pyarrow", "npz": "numpy"}.get(form)
    if module is None:
        assert form in get_args(Format)
        return
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise UsageError(
            f"--format {form} needs {module}, which is not installed",
            hint=f"pip install 'bulkup[{form}]'",
        )


def write_rows(
    form: Format,
    columns: Sequence[str],
    rows: Rows,
    out: BinaryIO,
    *,
    escape: Escape,
) -> int:
    """Write `rows`, whose cells stand in the order of `columns`; how many there were.

    Memory does not grow with the number of rows, but for NPZ, whose arrays must be whole.
    `escape` makes any text fit for a terminal. `out` need not be seekable.
    """
    write = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet, "npz": _npz}[form]
    return write(columns, rows, out, escape)


def _jsonl(columns: Sequence[str], rows: Rows, out: BinaryIO, _escape: Escape) -> int:
    """An object a line, ASCII only."""
    encode = json.JSONEncoder().encode
    count = 0
    for row in rows:
        out.write(encode(dict(zip(columns, row, strict=True))).encode("ascii") + b"\n")
        count += 1
    return count


def _csv(columns: Sequence[str], rows: Rows, out: BinaryIO, escape: Escape) -> int:
    """A header line and the rows, UTF-8; None is an empty cell."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([escape(cell) if isinstance(cell, str) else cell for cell in row])
        count += 1
    text.detach()
    return count


def _groups(rows: Rows) -> Iterator[list[Sequence[object]]]:
    remaining = iter(rows)
    while group := list(islice(remaining, GROUP_ROWS)):
        yield group


def _parquet(columns: Sequence[str], rows: Rows, out: BinaryIO, escape: Escape) -> int:
    """Typed columns, a row group for every GROUP_ROWS rows, zstd."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema = pa.schema([(column, _arrow_type(pa, column)) for column in columns])
    count = 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        for group in _groups(rows):
            arrays = [
                pa.array(_parquet_cells(column, cells, escape), schema.field(column).type)
                for column, cells in zip(columns, zip(*group, strict=True), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(group)
    return count


def _arrow_type(pa: Any, column: str) -> pyarrow.DataType:
    if column in WHOLE:
        return pa.int64()
    return pa.timestamp("s", tz="UTC") if column in MOMENTS else pa.string()


def _parquet_cells(column: str, cells: Iterable[Any], escape: Escape) -> list[Any]:
    if column in WHOLE:
        return list(cells)
    if column in MOMENTS:
        from datetime import datetime

        return [cell and datetime.fromisoformat(cell) for cell in cells]
    return [cell and escape(cell) for cell in cells]


def _npz(columns: Sequence[str], rows: Rows, out: BinaryIO, _escape: Escape) -> int:
    """An array for each column; None is NaT for a time and '' for a text."""
    import numpy as np

    cells: list[list[Any]] = [[] for _ in columns]
    for row in rows:
        for column, cell in zip(cells, row, strict=True):
            column.append(cell)
    arrays = {}
    for name, column in zip(columns, cells, strict=True):
        if name in WHOLE:
            arrays[name] = np.array(column, dtype=np.int64)
        elif name in MOMENTS:
            # datetime64 is UTC by definition and knows no zone.
            moments = ["NaT" if cell is None else cell.removesuffix("Z") for cell in column]
            arrays[name] = np.array(moments, dtype="datetime64[s]")
        else:
            arrays[name] = np.array([cell or "" for cell in column], dtype=np.str_)
        column.clear()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return len(arrays[columns[0]])
