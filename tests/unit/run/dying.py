"""Work for workers that some pictures do not survive."""

from __future__ import annotations

from bulkup.content.picture.types import Picture, Skipped
from bulkup.process.task import PictureTask, process
from tests.unit.process.jobs import misbehave


def process_or_die(job: PictureTask) -> Picture | Skipped:
    """As `process`; a file named `abort 1.jpg` does to its worker what `misbehave` knows."""
    how = job.name.partition(" ")[0]
    if how in ("abort", "exit", "kill", "loop", "memory", "raise"):
        misbehave(how)
    return process(job)
