"""bulkup accept: marks known failures, so that later runs fail for new ones only."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Literal

import typer

from bulkup.cli.shared_options import DryRunOption, Flags
from bulkup.errors import ErrorClass

EXAMPLE = """An accepted failure is no longer listed by status --failed, tried by retry --failed, or
counted for exit code 3; another attempt makes it news again.

Example: bulkup accept --error invalid"""


def run(
    flags: Flags,
    stage: Annotated[
        Literal["upload", "process", "embed"] | None, typer.Option(help="Only this stage.")
    ] = None,
    error: Annotated[
        ErrorClass | None, typer.Option(metavar="CLASS", help="Only this error class.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(metavar="GLOB", help="Only this folder, or paths that end like this pattern."),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Make accepted failures count again.")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Accept known failures: exit code 3 then means new ones."""
    from bulkup.cli.output.text import count, escape, printable
    from bulkup.manifest.manifest import Manifest
    from bulkup.manifest.reader import Reader
    from bulkup.operations import accept as operation
    from bulkup.operations.retry import FailureFilter, matching, path_of

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
        for one in found:
            said = f"{path_of(one)}: {one.stage}, {one.error_class}: {one.error or ''}"
            print(printable(escape(said), sys.stdout))
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
