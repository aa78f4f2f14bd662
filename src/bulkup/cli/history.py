"""bulkup history: lists earlier batches with their counts and rates."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.output.table import Column
from bulkup.cli.shared_options import Flags, only_one

if TYPE_CHECKING:
    from bulkup.manifest.reports.status import BatchRow

_COLUMNS = (
    Column("Started"),
    Column("Command"),
    Column("Took", right=True),
    Column("Exit"),
    Column("Files", right=True),
    Column("Sent", right=True),
    Column("Bytes", right=True, drop=1),
    Column("Rate", right=True, drop=4),
    Column("Saved", right=True, drop=5),
    Column("Processed", right=True, drop=3),
    Column("Embedded", right=True, drop=2),
    Column("To", cut=True),
)

EXAMPLE = "Example: bulkup history --limit 5"


def run(
    flags: Flags,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show the latest N batches.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV with a header line.")] = False,
) -> None:
    """List earlier batches: start, duration, files, bytes and exit code."""
    only_one(json=json, csv=csv)
    from bulkup.cli.output.nothing import nothing_pushed
    from bulkup.cli.output.rows import print_csv, print_json
    from bulkup.cli.output.table import print_table
    from bulkup.cli.output.text import print_folded
    from bulkup.manifest.reader import Reader
    from bulkup.manifest.reports.status import BatchRow
    from bulkup.operations.status import running_ids
    from bulkup.run.heartbeat import machine_of

    settings = flags.settings()
    with Reader(settings.manifest) as reader:
        rows = reader.reports.history(limit)
        running = running_ids(reader, settings.run.stale_after_seconds, now=time.time())
        nothing = nothing_pushed(reader)
    rows = [row._replace(host=machine_of(row.host)) for row in rows]
    if json:
        print_json(row._asdict() for row in rows)
    elif csv:
        print_csv(BatchRow._fields, iter(rows))
    elif not rows:
        print_folded(nothing, sys.stdout)
    else:
        print_table(_COLUMNS, [_cells(row, running) for row in rows], sys.stdout, os.environ)


def _cells(row: BatchRow, running: Collection[str]) -> list[str]:
    from bulkup.cli.output.last_run import local
    from bulkup.cli.output.text import count, duration, escape, is_screen, rate, size

    seconds = row.seconds or 0.0
    ended = "" if row.exit_code is None else str(row.exit_code)
    return [
        local(row.started_at, time.time()) if is_screen(sys.stdout, os.environ) else row.started_at,
        row.command,
        duration(row.seconds) if row.seconds is not None else "",
        ended or ("running" if row.run in running else "killed"),
        count(row.files or 0),
        count(row.sent or 0),
        size(row.sent_bytes or 0),
        rate((row.sent_bytes or 0) / seconds) if seconds else "",
        size(row.duplicate_bytes or 0),
        count(row.processed or 0),
        count(row.embedded or 0),
        escape(row.destination),
    ]
