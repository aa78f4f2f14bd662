"""bulkup process: makes thumbnails and reads metadata of uploaded files."""

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
    WorkersOption,
)
from bulkup.cli.shared_options import Flags

EXAMPLE = "Example: bulkup process --max-duration 50m"


def run(
    flags: Flags,
    limit: StageLimitOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Process everything again; replaces variants.")
    ] = False,
    workers: WorkersOption = None,
    concurrency: ConcurrencyOption = None,
    max_rate: MaxRateOption = None,
    bwlimit: BwlimitOption = None,
    max_duration: MaxDurationOption = None,
    max_errors: MaxErrorsOption = None,
    patience: PatienceOption = None,
    metrics_file: MetricsFileOption = None,
    json: JsonOption = None,
) -> None:
    """Make thumbnails and read the metadata of uploaded files that are not processed yet.

    Safe for cron: runs may overlap, and each picture is processed once. Exits with 3 while files
    have failed or will be retried.
    """
    given = dict(locals())
    for name in ("flags", "force"):
        del given[name]
    settings = flags.settings(**given)
    from bulkup.operations.stages import ProcessRun

    options = settings.run.forced() if force else settings.run
    sys.exit(run_to_end(partial(ProcessRun, options, force=force), settings))
