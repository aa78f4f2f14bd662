"""bulkup files: lists files with their keys, states and digests."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.shared_options import Flags

if TYPE_CHECKING:
    from bulkup.manifest.reports.status import FileRow

EXAMPLE = "Example: bulkup files '*.heic' --json"


def run(
    flags: Flags,
    glob: Annotated[
        str | None,
        typer.Argument(
            metavar="[GLOB]", help="Only files whose path ends like this shell pattern."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV with a header line.")] = False,
) -> None:
    """List files with their keys, states and digests."""
    from bulkup.cli.output.rows import print_csv, print_json
    from bulkup.cli.output.text import Column, print_table
    from bulkup.manifest.reader import Reader
    from bulkup.manifest.reports.status import FileRow

    with Reader(flags.settings().manifest) as reader:
        rows = reader.reports.files(glob)
        if json:
            print_json(row._asdict() for row in rows)
        elif csv:
            print_csv(FileRow._fields, rows)
        else:
            titles = ("File", "Size", "Upload", "Process", "Embed", "Key", "SHA-256")
            columns = [Column(title, right=title == "Size") for title in titles]
            print_table(columns, map(_cells, rows), sys.stdout, os.environ)


def _cells(row: FileRow) -> list[str]:
    from bulkup.cli.output.text import size

    return [
        row.path,
        size(row.size_bytes),
        row.upload or "",
        row.process or "",
        row.embed or "",
        row.key or "",
        (row.digest or "")[:12],
    ]
