"""bulkup files: lists files with their keys, states and digests."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.completion import complete_destination
from bulkup.cli.shared_options import Flags, only_one
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkup.manifest.reader import Reader
    from bulkup.manifest.reports.status import FileRow

EXAMPLE = "Example: bulkup files photos/2019 --json"


def run(
    flags: Flags,
    glob: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|GLOB]",
            help="Only files below this folder, or whose path ends like this shell pattern.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="DEST",
            help="As they are at this destination; default: the last of each root.",
            autocompletion=complete_destination,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV with a header line.")] = False,
) -> None:
    """List files with their keys, states and digests."""
    only_one(json=json, csv=csv)
    from bulkup.cli.output.rows import print_csv, print_json
    from bulkup.manifest.reader import Reader
    from bulkup.manifest.reports.status import FileRow

    with Reader(flags.settings().manifest) as reader:
        rows = reader.reports.files(glob, None if to is None else _id_of(to, reader))
        if json:
            print_json(row._asdict() for row in rows)
        elif csv:
            print_csv(FileRow._fields, rows)
        else:
            _print(rows, glob, reader)


def _id_of(to: str, reader: Reader) -> int:
    """The id of a known destination. Raises UsageError."""
    from bulkup.stores.urls import canonical

    url = canonical(to)
    known = reader.destinations.all()
    found = [one.id for one in known if one.url == url]
    if not found:
        shown = ", ".join(one.url for one in known if one.is_reached) or "none"
        raise UsageError(f"--to {to} is not known", hint=f"Destinations: {shown}")
    return found[-1]


def _print(rows: Iterator[FileRow], glob: str | None, reader: Reader) -> None:
    from bulkup.cli.output.nothing import nothing_matches
    from bulkup.cli.output.table import Column, below_one_folder, print_table
    from bulkup.cli.output.text import escape, is_screen

    found = list(rows)
    if not found:
        from bulkup.cli.output.text import print_folded

        print_folded(nothing_matches(reader, glob), sys.stdout)
        return
    paths = [row.path for row in found]
    if is_screen(sys.stdout, os.environ):
        folder, paths = below_one_folder(paths)
        if folder:
            print(f"In {escape(folder)}:")
    columns = [
        Column("File", cut=True),
        Column("Size", right=True),
        Column("Upload"),
        Column("Process", drop=3),
        Column("Embed", drop=4),
        Column("Key", cut=True, drop=2),
        Column("SHA-256", drop=5),
    ]
    has_several = len({row.destination for row in found}) > 1 or len(reader.destinations.all()) > 1
    if has_several:
        columns.append(Column("Destination", cut=True, drop=1))
    cells = (
        [path, *_cells(row), *([row.destination or ""] if has_several else [])]
        for path, row in zip(paths, found, strict=True)
    )
    print_table(columns, cells, sys.stdout, os.environ)


def _cells(row: FileRow) -> list[str]:
    from bulkup.cli.output.text import size

    return [
        size(row.size_bytes),
        row.upload or "",
        row.process or "",
        row.embed or "",
        row.key or "",
        (row.digest or "")[:12],
    ]
