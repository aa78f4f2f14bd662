"""bulkup resume: continues interrupted pushes."""

from __future__ import annotations

import sys
from functools import partial

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import RUN
from bulkup.cli.shared_options import Flags

EXAMPLE = "Example: bulkup resume --max-duration 50m"
SETTINGS = RUN


def run(flags: Flags) -> None:
    """Resume every interrupted push where it stopped.

    Scans, multipart uploads, files and copies continue.
    """
    settings = flags.settings()
    from bulkup.operations.resume import ResumeRun

    sys.exit(run_to_end(partial(ResumeRun, settings.run), settings, uploads=True))
