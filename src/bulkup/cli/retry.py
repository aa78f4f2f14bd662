"""bulkup retry: retries failed files now."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import OBJECTS, RUN
from bulkup.cli.shared_options import ErrorOption, FailedPathOption, Flags, StageOption
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.operations.retry import FailureFilter
    from bulkup.settings.table import Settings

EXAMPLE = """Files are sent with the options of their push; an option that is given here replaces
that of the push.

Example: bulkup retry --failed --error network"""
SETTINGS = (*RUN, *OBJECTS)


def run(
    flags: Flags,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help="Retry everything that failed or will be retried (required)."
        ),
    ] = False,
    stage: StageOption = None,
    error: ErrorOption = None,
    path: FailedPathOption = None,
    item: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Only this item of the view failures; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only list what would be retried.")
    ] = False,
) -> None:
    """Retry failed files now, without a scan.

    They come first in the queue, with ten more attempts each.
    """
    settings = flags.settings()
    if not failed:
        raise UsageError("retry needs --failed", hint="Run: bulkup retry --failed")
    from bulkup.operations.retry import FailureFilter, RetryRun

    wanted = FailureFilter(
        stage, None if error is None else error.value, path, frozenset(item) if item else None
    )
    if dry_run:
        _show(wanted, settings)
        return
    begin = partial(RetryRun, wanted, settings.run, replaced=_replaced(flags, settings))
    sys.exit(run_to_end(begin, settings, uploads=True))


def _replaced(flags: Flags, settings: Settings) -> dict[str, object]:
    """The options that were given for the files' objects."""
    return {
        name: value
        for name, value in asdict(settings.upload.extras).items()
        if flags.has("tag" if name == "tags" else name)
    }


def _show(wanted: FailureFilter, settings: Settings) -> None:
    """Print what would be retried, one file per line."""
    from bulkup.cli.output.rows import print_json
    from bulkup.cli.output.table import Column, print_table
    from bulkup.manifest.reader import Reader
    from bulkup.operations.retry import matching, path_of

    with Reader(settings.manifest) as reader:
        urls = {one.id: one.url for one in reader.destinations.all()}
        rows = [
            {
                "path": path_of(one),
                "stage": one.stage,
                "state": one.state,
                "error_class": one.error_class,
                "error": one.error,
                "attempts": one.attempts,
                "destination": urls[one.destination_id],
            }
            for one in matching(reader.retry_queue, wanted)
        ]
    if settings.json:
        print_json(rows)
    elif not rows:
        print("Nothing to retry.")
    else:
        titles = {"path": "File", "stage": "Stage", "error_class": "Class", "error": "Error"}
        print_table(
            [Column(title, cut=title in ("File", "Error")) for title in titles.values()],
            [[str(row[name] or "") for name in titles] for row in rows],
            sys.stdout,
            os.environ,
        )
