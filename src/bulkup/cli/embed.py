"""bulkup embed: makes processed pictures searchable."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import (
    BwlimitOption,
    ConcurrencyOption,
    JsonOption,
    MaxDurationOption,
    MaxErrorsOption,
    MaxRateOption,
    MetricsFileOption,
    PatienceOption,
    StageLimitOption,
)
from bulkup.cli.shared_options import Flags

EXAMPLE = "Example: bulkup embed --limit 1000"


def run(
    flags: Flags,
    limit: StageLimitOption = None,
    force: Annotated[bool, typer.Option("--force", help="Embed everything again.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The embedder: efficientnet-lite0, clip (an extra) or http (a service).",
        ),
    ] = None,
    thorough: Annotated[
        bool | None,
        typer.Option("--thorough", help="Embed six views of each picture: six times the work."),
    ] = None,
    concurrency: ConcurrencyOption = None,
    max_rate: MaxRateOption = None,
    bwlimit: BwlimitOption = None,
    max_duration: MaxDurationOption = None,
    max_errors: MaxErrorsOption = None,
    patience: PatienceOption = None,
    metrics_file: MetricsFileOption = None,
    json: JsonOption = None,
) -> None:
    """Make processed pictures searchable that this model has not embedded yet.

    Safe for cron: runs may overlap, and each picture is embedded once. Exits with 3 while pictures
    have failed or will be retried. Vectors of another model stay until bulkup clean.
    """
    given = dict(locals())
    for name in ("flags", "force"):
        del given[name]
    settings = flags.settings(**given)
    from bulkup.operations.stages import EmbedRun

    options = settings.run.forced() if force else settings.run
    sys.exit(run_to_end(partial(EmbedRun, options, force=force), settings))
