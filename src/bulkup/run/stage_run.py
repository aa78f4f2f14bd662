"""One stage after the upload, for everything that waits for it: what cron calls."""

from __future__ import annotations

from typing import ClassVar, Unpack

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue import Left
from bulkup.manifest.runs import Destination
from bulkup.model import Stage
from bulkup.run.events import Notice
from bulkup.run.job import Begun, Job
from bulkup.run.order import Means, Order
from bulkup.run.run import Around, Run


class StageRun(Run):
    """One run at one stage, over all destinations. With `redoes`, also what is settled is done
    again."""

    stage: ClassVar[Stage]

    def __init__(
        self,
        means: Means,
        manifest: Manifest,
        *,
        redoes: bool,
        **around: Unpack[Around],
    ) -> None:
        super().__init__(means, manifest, **around)
        self._redoes = redoes

    def _jobs(self) -> list[Job]:
        manifest = self._ledger.manifest
        found = self._open()
        if self._redoes:
            found |= {one.id for one in manifest.runs.destinations()}
        jobs = [self._job(one) for one in manifest.runs.destinations() if one.id in found]
        if not jobs:
            left = manifest.later.left(self.stage, self._run_id)
            self._is_unfinished = bool(left.waiting or left.dead)
            if self._is_unfinished:
                self._found.append(
                    Notice(
                        f"{left.waiting:,} waiting and {left.dead:,} dead at this stage: "
                        "bulkup status --failed"
                    )
                )
        return jobs

    def _open(self) -> set[int]:
        """Destinations where something is to be done."""
        return set(self._ledger.manifest.later.open_destinations(self.stage))

    def _job(self, destination: Destination) -> Job:
        manifest, order = self._ledger.manifest, Order(stages=(self.stage,))

        def begin(run_id: str, now: float) -> Begun:
            batch_id, _ = manifest.runs.begin_batch(
                run_id,
                destination.id,
                (),
                options=order.as_options(),
                now=now,
                remembers=False,
            )
            if self._redoes:
                limit = self._means.limit
                manifest.later.redo(destination.id, self.stage, limit=limit)
            return Begun(batch_id)

        return Job(destination, order, begin, makes_copies=False)

    def _left(self) -> Left:
        """Of the stage, at every destination: cron wants to hear of what an earlier run left."""
        return self._ledger.manifest.later.left(self.stage, self._run_id)


class EmbedRun(StageRun):
    """One run of `embed`."""

    command = "embed"
    stage = Stage.EMBED

    def _open(self) -> set[int]:
        """Also destinations where all was embedded, by another model or version."""
        vectors, embedder = self._ledger.manifest.vectors, self._embedder.get()
        embedder_id = vectors.id_of(embedder.name, embedder.version)
        lacking = {
            one.id
            for one in self._ledger.manifest.runs.destinations()
            if vectors.lacks(one.id, embedder_id)
        }
        return super()._open() | lacking


class ProcessRun(StageRun):
    """One run of `process`."""

    command = "process"
    stage = Stage.PROCESS
