"""Continue interrupted batches: scans, multipart uploads, items of all stages, copies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from bulkup.errors import UsageError
from bulkup.events import Event, Notice, one_line
from bulkup.manifest.batches import Interrupted
from bulkup.manifest.destinations import Destination
from bulkup.manifest.queue.stages import StageScope
from bulkup.model import Stage
from bulkup.run.job import BatchStart, Job, RootToScan
from bulkup.run.options import BatchOptions, batch_options_of
from bulkup.run.run import Run
from bulkup.walk.roots import check_root


@dataclass(slots=True, eq=False, repr=False)
class BatchFound(Event):
    """An interrupted push that this run resumes."""

    kind = "batch_found"
    is_always_shown = True
    batch_id: int
    roots: tuple[str, ...]
    destination: str
    started_at: float
    ready: int
    waiting: int
    multipart_uploads: int
    copies: int
    walk_unfinished: bool

    def __str__(self) -> str:
        what = [
            f"{number:,} {label}"
            for number, label in (
                (self.ready, "remaining"),
                (self.waiting, "will retry"),
                (
                    self.multipart_uploads,
                    f"multipart upload{'s' * (self.multipart_uploads != 1)} started",
                ),
                (self.copies, "to copy"),
            )
            if number
        ]
        what += ["scan not finished"] if self.walk_unfinished else []
        started = datetime.fromtimestamp(self.started_at).astimezone()  # as the user's clock shows
        roots = ", ".join(self.roots) or "retried files"
        return (
            f"Resuming push {self.batch_id} of {started:%Y-%m-%d %H:%M}: {', '.join(what)}\n"
            f"  {one_line(f'{roots} to {self.destination}')}"
        )


class ResumeRun(Run):
    """One run of `resume`. Without anything to resume it has no jobs, and ends at once."""

    command = "resume"

    def _jobs(self) -> list[Job]:
        manifest = self._context.manifest
        destinations = {one.id: one for one in manifest.destinations.all()}
        copies = manifest.retry_queue.open_copies()
        batches = manifest.batches.interrupted()
        served = {batch.destination_id for batch in batches}
        last = (manifest.batches.last_ended(one) for one in copies if one not in served)
        batches += (batch for batch in last if batch is not None)
        jobs = (
            self._job(
                batch, destinations[batch.destination_id], copies.pop(batch.destination_id, 0)
            )
            for batch in batches
        )
        found = [job for job in jobs if job is not None]
        for destination in destinations.values():
            resumed = {
                stage
                for job in found
                if job.destination.id == destination.id
                for stage in job.order.stages
            }
            backlog = self._backlog_job(destination, resumed)
            if backlog is not None:
                found.append(backlog)
        return found

    def _backlog_job(self, destination: Destination, served: set[Stage]) -> Job | None:
        """What is left to process and embed at a destination beyond the stages `served`, those of
        the resumed batches. None when nothing is left, or a live run works on it."""
        manifest = self._context.manifest
        batches, queue = manifest.batches, manifest.stage_queue
        for options in batches.at_work(destination.id):
            served = served | set(batch_options_of(options).stages)
        items = {
            stage: queue.count_left(StageScope(destination.id, stage))
            for stage in (Stage.PROCESS, Stage.EMBED)
            if stage not in served
        }
        stages = {stage for stage, count in items.items() if count}
        if not stages:
            return None
        for stage in tuple(stages):  # and the later stages of the batches they began with
            for options in batches.begun_with(destination.id, stage):
                stages |= {one for one in batch_options_of(options).stages if one in items}
        self._found.extend(
            Notice(f"Left to {stage} at {destination.url}: {count:,} unique files")
            for stage, count in items.items()
            if count
        )
        order = BatchOptions(stages=tuple(stage for stage in Stage if stage in stages))

        def begin(run_id: str, now: float) -> BatchStart:
            batch_id, _ = batches.begin(
                run_id, destination.id, (), options=order.as_options(), now=now, remembers=False
            )
            return BatchStart(batch_id)

        return Job(destination, order, begin, makes_copies=False, items=sum(items.values()))

    def _job(self, batch: Interrupted, destination: Destination, copies: int) -> Job | None:
        """The batch as a job, announced by an event; None when none of its roots exists."""
        order = batch_options_of(batch.options)
        roots = tuple(root.root for root in order.roots)
        self._found.append(_found(batch, roots, destination.url, copies))
        missing = self._missing_roots(order)
        if order.roots and len(missing) == len(order.roots):
            self._not_begun += batch.ready + batch.waiting
            return None
        to_scan = tuple(
            RootToScan(root, batch.open_walks[root.path], is_known=False)
            for root in order.roots
            if root.path in batch.open_walks and root.root not in missing
        )
        if to_scan and order.files_from is not None and not self._may_read(order.files_from):
            to_scan = ()
        batches = self._context.manifest.batches

        def begin(run_id: str, now: float) -> BatchStart | None:
            if not batches.take(batch.id, from_run=batch.run_id, run_id=run_id, now=now):
                return None
            return BatchStart(
                batch.id,
                to_scan,
                batch.ready + batch.waiting,
                batch.size_bytes,
                earlier=batches.done(batch.id),
            )

        return Job(destination, order, begin, makes_copies=True, items=batch.ready + batch.waiting)

    def _missing_roots(self, order: BatchOptions) -> set[str]:
        """The batch's roots that do not exist now; a notice names each."""
        missing = set()
        for root in order.roots:
            try:
                check_root(root.root)
            except UsageError as error:
                missing.add(root.root)
                self._is_unfinished = True
                self._found.append(
                    Notice(f"{error}; its files are left as they are", is_error=True)
                )
        return missing

    def _may_read(self, files_from: str) -> bool:
        """Whether the list of files can be read again. The manifest does not keep its lines."""
        if files_from != "-" and os.access(files_from, os.R_OK):
            self._found.append(Notice(f"Reading the list {files_from} again, as it is now"))
            return True
        self._is_unfinished = True
        self._found.append(
            Notice(
                f"The list of --files-from {files_from} was not read to its end, and cannot be "
                "read again: only the files found so far are sent; push the list again",
                is_error=True,
            )
        )
        return False


def _found(batch: Interrupted, roots: tuple[str, ...], url: str, copies: int) -> BatchFound:
    return BatchFound(
        batch_id=batch.id,
        roots=roots,
        destination=url,
        started_at=batch.started_at,
        ready=batch.ready,
        waiting=batch.waiting,
        multipart_uploads=batch.uploads,
        copies=copies,
        walk_unfinished=bool(batch.open_walks),
    )
