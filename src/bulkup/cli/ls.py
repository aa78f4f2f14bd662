"""bulkup ls: lists what a destination holds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.destination_listing import KeyGlob, ListedDestination, for_each_object
from bulkup.cli.run_options import S3
from bulkup.cli.shared_options import Flags, only_one

if TYPE_CHECKING:
    from bulkup.operations.destination.listing import ListedObject

EXAMPLE = """The destination itself is asked; the manifest only says what the objects are: an
original, a copy of a duplicate, a variant (thumb, preview), a manifest, or unknown.

Example: bulkup ls '2019/*' --to s3://bucket/photos"""
SETTINGS = S3
COLUMNS = ("destination", "key", "size_bytes", "modified_at", "etag", "kind", "digest")


def run(
    flags: Flags,
    glob: KeyGlob = None,
    to: ListedDestination = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV with a header line.")] = False,
) -> None:
    """List the objects of a destination."""
    only_one(json=json, csv=csv)
    from bulkup.cli.output.rows import CsvRows, JsonRows

    if json:
        array = JsonRows()
        for_each_object(
            flags, to, glob, lambda one: array.add(dict(zip(COLUMNS, _values(one), strict=True)))
        )
        array.end()
    elif csv:
        table = CsvRows(COLUMNS)
        for_each_object(flags, to, glob, lambda one: table.add(_values(one)))
    else:
        for_each_object(flags, to, glob, _print)


def _values(one: ListedObject) -> tuple[object, ...]:
    return (*one[:3], _moment(one.modified_at), *one[4:])


def _moment(seconds: float | None) -> str | None:
    from datetime import UTC, datetime

    if seconds is None:
        return None
    found = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    return found.replace("+00:00", "Z")


def _print(one: ListedObject) -> None:
    from bulkup.cli.output.text import escape, printable, size

    when = (_moment(one.modified_at) or "").replace("T", " ")
    line = f"{size(one.size_bytes):>10}  {when:<20}  {one.kind:<8}  {escape(one.key)}"
    sys.stdout.write(f"{printable(line, sys.stdout)}\n")
