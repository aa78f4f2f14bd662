"""bulkup accept: marks known failures, so that later runs fail for new ones only."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.shared_options import (
    DryRunOption,
    ErrorOption,
    FailedPathOption,
    Flags,
    StageOption,
)

if TYPE_CHECKING:
    from bulkup.manifest.queue.requeue import RetryCandidate

EXAMPLE = """An accepted failure is no longer listed by status --failed, tried by retry --failed, or
counted for exit code 3; another attempt makes it count again.

Example: bulkup accept --error invalid"""


def run(
    flags: Flags,
    stage: StageOption = None,
    error: ErrorOption = None,
    path: FailedPathOption = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Make accepted failures count again.")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Accept known failures: exit code 3 then means new ones."""
    from bulkup.cli.output.text import count
    from bulkup.manifest.manifest import Manifest
    from bulkup.manifest.reader import Reader
    from bulkup.operations import accept as operation
    from bulkup.operations.retry import FailureFilter, matching

    settings = flags.settings()
    wanted = FailureFilter(stage, None if error is None else error.value, path)
    with Reader(settings.manifest) as reader:
        queue = reader.retry_queue
        found = list(
            matching(queue, wanted, accepted=True) if undo else operation.acceptable(queue, wanted)
        )
    if not found:
        print("Nothing to undo." if undo else "Nothing to accept.")
        return
    if dry_run or settings.verbose:
        _print(found)
    if not dry_run:
        with Manifest(settings.manifest) as manifest:
            if undo:
                operation.undo(manifest, wanted)
            else:
                operation.accept(manifest, wanted, now=time.time())
    if not settings.quiet:
        verb = "no longer accepted" if undo else "accepted"
        said = f"would be {verb}" if dry_run else verb
        print(f"{said.capitalize()}: {count(len(found), 'failure')}.")


def _print(failures: Sequence[RetryCandidate]) -> None:
    """A line for each."""
    from bulkup.cli.output.text import escape, printable
    from bulkup.operations.retry import path_of

    for one in failures:
        said = f"{path_of(one)}: {one.stage}, {one.error_class}: {one.error or ''}"
        print(printable(escape(said), sys.stdout))
