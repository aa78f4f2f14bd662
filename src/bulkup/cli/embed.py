"""bulkup embed: what is processed becomes searchable."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from bulkup.cli.run_command import run_options_of, run_to_end
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
    force: Annotated[bool, typer.Option("--force", help="Also what is embedded already.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="efficientnet-lite0, clip (an extra) or http (a service)."
        ),
    ] = None,
    thorough: Annotated[
        bool | None,
        typer.Option("--thorough", help="Six views of each picture: six times the work."),
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
    """Make everything searchable that is processed and not embedded by this model.

    For cron: runs may overlap, each picture is embedded once. Exits with 3 while an item waits or
    is dead. Vectors of another model stay until bulkup clean.
    """
    options = dict(locals())
    for name in ("flags", "force"):
        del options[name]
    settings = flags.settings(**options)
    from bulkup.operations.stages import EmbedRun
    from bulkup.run.options import RunOptions

    means = RunOptions(**run_options_of(settings, force=force))
    sys.exit(run_to_end(partial(EmbedRun, means, force=force), settings))
