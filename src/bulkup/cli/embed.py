"""bulkup embed: makes processed pictures searchable."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import RUN
from bulkup.cli.shared_options import DryRunOption, Flags

EXAMPLE = "Example: bulkup embed --limit 1000"
SETTINGS = ("embed.model", "embed.thorough", "cluster.engine", "cluster.sign", *RUN)


def run(
    flags: Flags,
    force: Annotated[bool, typer.Option("--force", help="Embed everything again.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Make processed pictures searchable.

    Pictures that this model has embedded are left alone; --force does them again.

    Safe for cron: runs may overlap, and each picture is embedded once. Exits with 3 while pictures
    have failed or will be retried. Vectors of another model stay until bulkup clean.
    """
    settings = flags.settings()
    from bulkup.operations.stages import EmbedRun

    if dry_run:
        from bulkup.cli.dry_run import show_backlog

        sys.exit(show_backlog(EmbedRun, settings, force=force))
    options = settings.run.forced() if force else settings.run
    sys.exit(run_to_end(partial(EmbedRun, options, force=force), settings))
