"""`process` and `embed`: run one stage for all contents that wait for it, as cron does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from tempfile import TemporaryDirectory
from typing import ClassVar

from bulkup.events import Emit, Notice, Summary
from bulkup.manifest.destinations import Destination
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.uploads import Left
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.dry_run import DryRunQueries
from bulkup.model import Snapshot, Stage, StageCount
from bulkup.plan_events import FilePlanned, FilesPlanned, Verdict
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job
from bulkup.run.open_destination import StoreFactory
from bulkup.run.options import BatchOptions
from bulkup.run.run import Run
from bulkup.run.summary import summary_of
from bulkup.run.work.cluster import LOCAL, EngineSource, RunCluster, check_engine
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
        engines: EngineSource | None = None,
    ) -> None:
        """`engines` are those of `options.engine` by default."""
        super().__init__(options, context, store_factory=store_factory)
        self._force = force
        self._stages: tuple[Stage, ...] = (self.stage,)
        self._cluster = engines
        if options.engine != LOCAL:
            check_engine(self._embedder, embeds=self.stage is Stage.EMBED)
            self._cluster = engines or RunCluster(options, context.clock, context.emit)
        if self._cluster is not None and self._embedder.is_local:  # one pass serves both
            self._stages = (Stage.PROCESS, Stage.EMBED)[self.stage is Stage.EMBED :]

    def snapshot(self) -> Snapshot:
        """See Run. Its stages are known before the first job, while a cluster is connected."""
        taken = super().snapshot()
        if self.job_runners:
            return taken
        return taken._replace(stages={stage.value: StageCount() for stage in self._stages})

    def _jobs(self) -> list[Job]:
        manifest = self._context.manifest
        found = self._open_destinations()
        if self._force:
            found |= {one.id for one in manifest.destinations.all()}
        jobs = [self._job(one) for one in manifest.destinations.all() if one.id in found]
        if not jobs:
            left = manifest.stage_queue.left(self._stages, self._context.run_id)
            self._is_unfinished = bool(left.waiting or left.dead)
            if self._is_unfinished:
                self._found.append(
                    Notice(
                        f"At this stage {left.dead:,} failed and {left.waiting:,} will be "
                        "retried: bulkup status --failed"
                    )
                )
        return jobs

    def _open_destinations(self) -> set[int]:
        """The ids of destinations with work left."""
        return set(self._context.manifest.stage_queue.open_destinations(self.stage))

    def _job(self, destination: Destination) -> Job:
        manifest, order = self._context.manifest, BatchOptions(stages=self._stages)

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
        return self._context.manifest.stage_queue.left(self._stages, self._context.run_id)


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


class AdoptionRun(ProcessRun):
    """The run after `rebuild` adopted objects: one pass makes them searchable, also without a
    cluster."""

    command = "rebuild"

    def __init__(self, options: RunOptions, context: RunContext) -> None:
        super().__init__(options, context, force=False)
        if self._embedder.is_local:
            self._stages = (Stage.PROCESS, Stage.EMBED)


# Dry runs ----------------------------------------------------------------------------------------

FILES_IN_EVENT = 1000

_VERDICTS: Mapping[Stage, Verdict] = {Stage.PROCESS: "process", Stage.EMBED: "embed"}


def plan_stages(
    manifest: Manifest, destination_id: int, stages: Iterable[Stage], *, model: str, now: float
) -> dict[str, dict[str, int]]:
    """What these stages have to do at a destination; `manifest` is a copy, and is written to.

    For each stage: `ready` items, those `waiting` for a retry, the `upcoming` ones, which an
    earlier stage has to do first, and their `total`.
    """
    queue, embeddings = manifest.stage_queue, manifest.embeddings
    planned: dict[str, dict[str, int]] = {}
    upcoming = 0
    for stage in stages:
        queue.enqueue_next_stage(destination_id, stage, now=now)
        if stage is Stage.EMBED and embeddings.newest_name() not in (None, model):
            known = embeddings.newest(model)
            embeddings.reopen(destination_id, None if known is None else known.id)
        counts = queue.counts(destination_id, stage)
        numbers = {name: counts.get(name, 0) for name in ("ready", "waiting")}
        numbers["upcoming"] = upcoming
        upcoming = sum(numbers.values())
        planned[stage.value] = {**numbers, "total": upcoming}
    return planned


def planned_at(
    copy: DryRunQueries, destination_id: int, stage: Stage, limit: int | None
) -> Iterator[FilesPlanned]:
    """The files that a stage has to do, in the order in which it takes them."""
    files = (
        FilePlanned(one.path, _VERDICTS[stage], None, one.digest, one.size_bytes)
        for one in copy.to_do(destination_id, stage, limit)
    )
    while some := tuple(islice(files, FILES_IN_EVENT)):
        yield FilesPlanned(some)


def plan_backlog(
    run: type[BacklogRun],
    options: RunOptions,
    reader: Reader,
    *,
    force: bool,
    emit: Emit,
    now: float,
) -> Summary:
    """What `process` or `embed` would do, found in a copy of the manifest that `reader` reads."""
    stage, limit = run.stage, options.limit
    numbers: dict[str, int] = {}
    urls: list[str] = []
    with TemporaryDirectory(prefix="bulkup-dry-run-") as folder:
        path = f"{folder}/manifest.db"
        reader.dry_run.copy_to(path)
        with Manifest(path) as manifest, Reader(path) as copy:
            for one in manifest.destinations.all():
                if force:
                    manifest.stage_queue.redo(one.id, stage, limit=None)
                found = plan_stages(manifest, one.id, (stage,), model=options.embed.model, now=now)
                if not found[stage.value]["total"]:
                    continue
                urls.append(one.url)
                numbers = {
                    name: numbers.get(name, 0) + number
                    for name, number in found[stage.value].items()
                }
                for event in planned_at(copy.dry_run, one.id, stage, limit):
                    emit(event)
    total = numbers.get("total", 0)
    if limit is not None and limit < total:
        numbers = {"ready": limit, "over_limit": total - limit, "total": total}
    return replace(
        summary_of((), Left(0)),
        command=run.command,
        destination=", ".join(dict.fromkeys(urls)),
        stages={stage.value: numbers} if numbers else {},
        dry_run=True,
    )
