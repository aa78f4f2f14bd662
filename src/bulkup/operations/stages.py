"""`process` and `embed`: run one stage for all contents that wait for it, as cron does."""

from __future__ import annotations

from typing import ClassVar

from bulkup.events import Notice
from bulkup.manifest.destinations import Destination
from bulkup.manifest.queue.uploads import Left
from bulkup.model import Stage
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job
from bulkup.run.options import BatchOptions
from bulkup.run.run import Run, StoreFactory
from bulkup.settings.options import RunOptions


class BacklogRun(Run):
    """One run at one stage, over all destinations. With `force`, settled items are done again."""

    stage: ClassVar[Stage]

    def __init__(
        self,
        options: RunOptions,
        context: RunContext,
        *,
        force: bool,
        store_factory: StoreFactory | None = None,
    ) -> None:
        super().__init__(options, context, store_factory=store_factory)
        self._force = force

    def _jobs(self) -> list[Job]:
        manifest = self._context.manifest
        found = self._open_destinations()
        if self._force:
            found |= {one.id for one in manifest.destinations.all()}
        jobs = [self._job(one) for one in manifest.destinations.all() if one.id in found]
        if not jobs:
            left = manifest.stage_queue.left(self.stage, self._context.run_id)
            self._is_unfinished = bool(left.waiting or left.dead)
            if self._is_unfinished:
                self._found.append(
                    Notice(
                        f"{left.waiting:,} waiting and {left.dead:,} dead at this stage: "
                        "bulkup status --failed"
                    )
                )
        return jobs

    def _open_destinations(self) -> set[int]:
        """The ids of destinations with work left."""
        return set(self._context.manifest.stage_queue.open_destinations(self.stage))

    def _job(self, destination: Destination) -> Job:
        manifest, order = self._context.manifest, BatchOptions(stages=(self.stage,))

        def begin(run_id: str, now: float) -> BatchStart:
            batch_id, _ = manifest.batches.begin(
                run_id,
                destination.id,
                (),
                options=order.as_options(),
                now=now,
                remembers=False,
            )
            if self._force:
                limit = self._options.limit
                manifest.stage_queue.redo(destination.id, self.stage, limit=limit)
            return BatchStart(batch_id)

        return Job(destination, order, begin, makes_copies=False)

    def _left(self) -> Left:
        """What is left of the stage at every destination: cron reports what earlier runs left."""
        return self._context.manifest.stage_queue.left(self.stage, self._context.run_id)


class EmbedRun(BacklogRun):
    """One run of `embed`."""

    command = "embed"
    stage = Stage.EMBED

    def _open_destinations(self) -> set[int]:
        """Also destinations whose contents were embedded by another model or version."""
        vectors, embedder = self._context.manifest.embeddings, self._embedder.get()
        embedder_id = vectors.id_of(embedder.name, embedder.version)
        lacking = {
            one.id
            for one in self._context.manifest.destinations.all()
            if vectors.lacks(one.id, embedder_id)
        }
        return super()._open_destinations() | lacking


class ProcessRun(BacklogRun):
    """One run of `process`."""

    command = "process"
    stage = Stage.PROCESS

    def _open_destinations(self) -> set[int]:
        """Also where sidecars changed whose pictures are processed."""
        manifest = self._context.manifest
        changed = manifest.sidecars.has_unread()
        return super()._open_destinations() | {
            one.id for one in manifest.destinations.all() if changed
        }
