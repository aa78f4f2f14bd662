"""bulkup process: makes thumbnails and reads metadata of uploaded files."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import RUN
from bulkup.cli.shared_options import DryRunOption, Flags

EXAMPLE = "Example: bulkup process --max-duration 50m"
SETTINGS = ("process.workers", "cluster.engine", "cluster.sign", *RUN)


def run(
    flags: Flags,
    force: Annotated[
        bool, typer.Option("--force", help="Process everything again; replaces variants.")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Make thumbnails of uploaded files and read their metadata.

    Files that are processed are left alone; --force does them again.

    Safe for cron: runs may overlap, and each picture is processed once. Exits with 3 while files
    have failed or will be retried.
    """
    settings = flags.settings()
    from bulkup.operations.stages import ProcessRun

    if dry_run:
        from bulkup.cli.dry_run import show_backlog

        sys.exit(show_backlog(ProcessRun, settings, force=force))
    options = settings.run.forced() if force else settings.run
    sys.exit(run_to_end(partial(ProcessRun, options, force=force), settings))
