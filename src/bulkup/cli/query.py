"""bulkup query: SQL over the manifest, which can only read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.manifest.reports.query import QueryRows

EXAMPLE = """The views files, pictures, failures, progress and batches are stable; docs/manifest.md
describes them. In JSON, bytes are {"$base64": true, "encoded": …}, as of sqlite-utils.

Example: bulkup query "SELECT camera, count(*) FROM pictures GROUP BY camera" --format csv"""

PAIRS = ("param",)
"""Options that take two values."""

QueryFormat = Literal["table", "csv", "json", "jsonl"]


def run(
    flags: Flags,
    sql: Annotated[
        str, typer.Argument(metavar="SQL|-", help="One statement; - reads it from standard input.")
    ],
    format: Annotated[  # noqa: A002 - the name of the option
        QueryFormat, typer.Option(help="The output format.")
    ] = "table",
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", "-p", metavar="NAME VALUE", help="A value for :NAME in SQL; repeatable."
        ),
    ] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Give up after this time.")] = "1m",
) -> None:
    """Query the manifest with SQL. Nothing is written."""
    import time

    from bulkup.manifest.reader import Reader
    from bulkup.settings.parsing import SPAN

    try:
        seconds = SPAN.parse(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout {timeout!r} is not {SPAN.expects}") from error
    settings = flags.settings()
    if sql == "-":
        sql = sys.stdin.read()
    values = dict(cast("list[tuple[str, str]]", param or []))
    until = time.monotonic() + seconds
    with (
        Reader(settings.manifest) as reader,
        reader.user_queries.run(sql, values, is_over=lambda: time.monotonic() > until) as found,
    ):
        _PRINTERS[format](found)


def _print_table(found: QueryRows) -> None:
    from bulkup.cli.output.table import Column, print_table

    rows = list(found.rows)
    if not found.columns:
        return
    are_numbers = [
        bool(rows) and all(isinstance(cell, int | float | None) for cell in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(found.columns)
    columns = [
        Column(name, right=is_number, cut=not is_number)
        for name, is_number in zip(found.columns, are_numbers, strict=True)
    ]
    cells = ([_text(cell) for cell in row] for row in rows)
    print_table(columns, cells, sys.stdout, os.environ)


def _print_csv(found: QueryRows) -> None:
    from bulkup.cli.output.rows import print_csv

    print_csv(found.columns, ([_plain(cell) for cell in row] for row in found.rows))


def _print_json(found: QueryRows) -> None:
    from bulkup.cli.output.rows import print_json

    print_json(_documents(found))


def _print_jsonl(found: QueryRows) -> None:
    from json import dumps

    for document in _documents(found):
        sys.stdout.write(dumps(document) + "\n")


_PRINTERS = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
    "jsonl": _print_jsonl,
}


def _documents(found: QueryRows) -> Iterator[dict[str, object]]:
    names = _distinct(found.columns)
    for row in found.rows:
        yield dict(zip(names, map(_as_json, row), strict=True))


def _distinct(columns: tuple[str, ...]) -> list[str]:
    """The names, numbered where one occurs again: id, id_2."""
    names: list[str] = []
    for column in columns:
        name, number = column, 2
        while name in names:
            name, number = f"{column}_{number}", number + 1
        names.append(name)
    return names


def _as_json(cell: Any) -> object:
    from base64 import b64encode
    from math import isfinite

    if isinstance(cell, bytes):
        return {"$base64": True, "encoded": b64encode(cell).decode()}
    if isinstance(cell, float) and not isfinite(cell):
        return None
    return cell


def _plain(cell: Any) -> object:
    """The cell for CSV: a byte that is not UTF-8 becomes \\xNN."""
    return cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell


def _text(cell: Any) -> str:
    return "" if cell is None else str(_plain(cell))
