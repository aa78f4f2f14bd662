"""`serve --work`: process and embed, started whenever there is something to do, and a watch."""

from __future__ import annotations

import sys

from bulkup.clock import Clock
from bulkup.errors import ExitCode, ManifestError
from bulkup.manifest.queue.stages import BEFORE
from bulkup.manifest.reports.changes import Counts, Due
from bulkup.model import Stage
from bulkup.serve.child_runs import ChildRuns
from bulkup.serve.manifest_threads import ManifestThreads
from bulkup.serve.problems import Problem
from bulkup.serve.watching import Watching

LOOK_SECONDS = 2.0
PAUSE_SECONDS = 300.0
"""After a run that could not work at all, such as one without its model."""
RECHECK_SECONDS = 60.0
"""After a run that queued nothing of what the counts say has no item, or read no sidecar."""
APART_SECONDS = 15.0
"""Between two starts while the stage before is at work: a start loads the model (1.5 s of CPU), and
a run ends as soon as nothing is left to do."""
STAGES = (Stage.PROCESS, Stage.EMBED)


class Worker:
    """Starts one run for each stage that has items which are due, and keeps a watch at work."""

    def __init__(
        self,
        manifest: ManifestThreads,
        runs: ChildRuns,
        clock: Clock,
        watching: Watching | None = None,
    ) -> None:
        self._manifest = manifest
        self._runs = runs
        self._clock = clock
        self._watching = watching
        self._not_before: dict[Stage, float] = {}
        self._found: dict[Stage, Counts] = {}  # when the last run was started
        self._unchanged: dict[Stage, tuple[Counts, float]] = {}  # until when
        self._started_at: dict[Stage, float] = {}

    async def run(self) -> None:
        """Look every few seconds, and whenever a run has ended, until cancelled: what the run of
        one stage finished may be due in the next."""
        while True:
            try:
                if self._watching is not None:
                    await self._watching.look()
                await self.look()
            except ManifestError as error:
                sys.stderr.write(f"bulkup: {error}\n")
            await self._runs.wait_for_end(LOOK_SECONDS)

    async def look(self) -> list[Stage]:
        """Start what is due and not at work; returns for which stages."""
        now = self._clock.now()
        found = await self._manifest.read(
            lambda reader: {stage: reader.changes.due(stage, now=now) for stage in STAGES}
        )
        started = []
        for stage, due in found.items():
            if not self._runs.is_running(stage) and self._is_worth_a_run(stage, due):
                try:
                    await self._runs.start(stage, [])
                except Problem:  # enough runs are at work
                    break
                self._found[stage] = due.counts
                self._started_at[stage] = self._clock.monotonic()
                started.append(stage)
        return started

    def _is_worth_a_run(self, stage: Stage, due: Due) -> bool:
        """Whether there is work, and the last run did not show that a run cannot do it."""
        now = self._clock.monotonic()
        code = self._runs.take_exit_code(stage)
        if code not in (None, ExitCode.DONE, ExitCode.UNFINISHED):
            self._not_before[stage] = now + PAUSE_SECONDS
        elif code is not None and due.unqueued > 0 and due.counts == self._found.get(stage):
            self._unchanged[stage] = due.counts, now + RECHECK_SECONDS  # counts are inexact
        if now < self._not_before.get(stage, 0.0) or self._is_soon(stage, now):
            return False
        same_counts, until = self._unchanged.get(stage, (None, 0.0))
        return due.items or (due.unqueued > 0 and (due.counts != same_counts or now >= until))

    def _is_soon(self, stage: Stage, now: float) -> bool:
        """Whether the next run had better wait for more from the stage before."""
        last = self._started_at.get(stage)
        is_fed = self._runs.is_running(BEFORE[stage])
        return last is not None and is_fed and now < last + APART_SECONDS
