"""Crews → the numbers of their run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.events import Snapshot, StageCount, Summary
from bulkup.manifest.queue.uploads import Left
from bulkup.model import Stage

if TYPE_CHECKING:
    from bulkup.run.job_runner import JobRunner
    from bulkup.run.stages.runner import StageRunner


def summary_of(job_runners: Sequence[JobRunner], left: Left) -> Summary:
    """What these crews have done, and what is left; whose run it was is for the caller to add."""
    walked = [walked for job_runner in job_runners for walked in job_runner.scan.walked]
    counts = [job_runner.pipeline.counts for job_runner in job_runners]
    failures: Counter[str] = Counter()
    for one in counts:
        failures.update({str(name): number for name, number in one.failures.items()})
    for walk in walked:
        failures.update({str(name): number for name, number in walk.broken.items()})
    later = [work for job_runner in job_runners for work in job_runner.later]
    for work in later:
        failures.update({str(name): number for name, number in work.counts.failures.items()})
    return Summary(
        run_id="",
        command="",
        destination=", ".join(
            dict.fromkeys(job_runner.job.destination.url for job_runner in job_runners)
        ),
        seconds=0.0,
        files=sum(w.files for w in walked),
        new=sum(w.new for w in walked),
        changed=sum(w.changed for w in walked),
        unchanged=sum(w.unchanged for w in walked),
        gone=sum(w.gone for w in walked),
        left_out=sum(w.left_out for w in walked),
        sent=sum(c.sent for c in counts),
        sent_bytes=sum(c.sent_bytes for c in counts),
        adopted=sum(c.adopted for c in counts),
        duplicates=sum(c.duplicates for c in counts),
        duplicate_bytes=sum(c.duplicate_bytes for c in counts),
        copied=sum(job_runner.copied for job_runner in job_runners),
        waiting=left.waiting,
        dead=left.dead,
        ready=left.ready,
        claimed_elsewhere=left.claimed,
        throttled=sum(job_runner.limiter.throttled for job_runner in job_runners),
        processed=sum(w.counts.done for w in later if w.stage is Stage.PROCESS),
        embedded=sum(w.counts.done for w in later if w.stage is Stage.EMBED),
        passed_over=sum(w.counts.skipped for w in later if w.stage is Stage.PROCESS),
        failures=dict(failures),
    )


def snapshot_of(job_runners: Sequence[JobRunner], elapsed_seconds: float) -> Snapshot:
    """Where these crews stand; the last of them is the one at work."""
    walked = [walked for job_runner in job_runners for walked in job_runner.scan.walked]
    counts = [job_runner.pipeline.counts for job_runner in job_runners]
    at_work = job_runners[-1] if job_runners else None
    upload = StageCount(
        done=sum(c.done_files for c in counts),
        failed=sum(c.failed for c in counts),
        total=sum(w.to_do for w in walked)
        + sum(job_runner.begun.items for job_runner in job_runners),
        done_bytes=sum(c.done_bytes for c in counts),
        total_bytes=sum(w.to_do_bytes for w in walked)
        + sum(job_runner.begun.size_bytes for job_runner in job_runners),
    )
    stages = (
        {Stage.UPLOAD.value: upload}
        if upload.total or not job_runners or not _later(job_runners)
        else {}
    )
    before = upload
    for stage in (Stage.PROCESS, Stage.EMBED):
        works = [
            work for job_runner in job_runners for work in job_runner.later if work.stage is stage
        ]
        if works:
            before = _later_count(works, before)
            stages[stage.value] = before
    return Snapshot(
        stages=stages,
        walking=at_work is None or at_work.scan.is_under_way,
        walked_files=sum(w.files for w in walked),
        window=at_work.limiter.pacer.limit if at_work else 0,
        in_flight=at_work.limiter.pacer.in_flight if at_work else 0,
        throttled=sum(job_runner.limiter.throttled for job_runner in job_runners),
        errors=sum(job_runner.failed for job_runner in job_runners),
        elapsed_seconds=elapsed_seconds,
        paused=at_work.breaker.reason if at_work else None,
    )


def _later(job_runners: Sequence[JobRunner]) -> bool:
    return any(job_runner.later for job_runner in job_runners)


def _later_count(works: Sequence[StageRunner], before: StageCount) -> StageCount:
    """One stage's numbers: what it settled, what waits for it, and what is still on its way."""
    counts = [work.counts for work in works]
    settled = sum(c.done + c.skipped + c.failed for c in counts)
    in_hand = sum(work.in_hand for work in works)
    coming = max(0, before.total - before.done - before.skipped - before.failed)
    return StageCount(
        done=sum(c.done for c in counts),
        skipped=sum(c.skipped for c in counts),
        failed=sum(c.failed for c in counts),
        total=settled + in_hand + sum(work.outcomes.left for work in works) + coming,
        done_bytes=sum(c.done_bytes for c in counts),
    )
