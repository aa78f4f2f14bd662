"""bulkup resume: continues interrupted pushes."""

from __future__ import annotations

import sys
from functools import partial

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import (
    BwlimitOption,
    ConcurrencyOption,
    JsonOption,
    LimitOption,
    MaxDurationOption,
    MaxErrorsOption,
    MaxRateOption,
    MetricsFileOption,
    PatienceOption,
)
from bulkup.cli.shared_options import Flags

EXAMPLE = "Example: bulkup resume --max-duration 50m"


def run(
    flags: Flags,
    concurrency: ConcurrencyOption = None,
    max_rate: MaxRateOption = None,
    bwlimit: BwlimitOption = None,
    limit: LimitOption = None,
    max_duration: MaxDurationOption = None,
    max_errors: MaxErrorsOption = None,
    patience: PatienceOption = None,
    metrics_file: MetricsFileOption = None,
    json: JsonOption = None,
) -> None:
    """Resume every interrupted push: scans, multipart uploads, files, copies."""
    options = dict(locals())
    del options["flags"]
    settings = flags.settings(**options)
    from bulkup.operations.resume import ResumeRun

    sys.exit(run_to_end(partial(ResumeRun, settings.run), settings, uploads=True))
