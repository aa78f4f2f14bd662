"""Jobs → the numbers of their run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.events import Summary
from bulkup.manifest.queue.uploads import Left
from bulkup.model import Snapshot, Stage, StageCount

if TYPE_CHECKING:
    from bulkup.run.job_runner import JobRunner
    from bulkup.run.stages.results import StageCounts
    from bulkup.run.stages.runner import StageRunner
    from bulkup.run.upload.scan_root import Walked


def summary_of(job_runners: Sequence[JobRunner], left: Left) -> Summary:
    """What these jobs have done, and what is left; the caller adds whose run it was."""
    walked = _walked(job_runners)
    uploads = _counts(job_runners, Stage.UPLOAD)
    processed = _counts(job_runners, Stage.PROCESS)
    embedded = _counts(job_runners, Stage.EMBED)
    failures: Counter[str] = Counter()
    for found in walked:
        failures.update({str(name): number for name, number in found.broken.items()})
    for counts in (*uploads, *processed, *embedded):
        failures.update({str(name): number for name, number in counts.failures.items()})
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
        sent=sum(c.sent for c in uploads),
        sent_bytes=sum(c.sent_bytes for c in uploads),
        adopted=sum(c.adopted for c in uploads),
        duplicates=sum(c.duplicates for c in uploads),
        duplicate_bytes=sum(c.duplicate_bytes for c in uploads),
        copied=sum(job_runner.copied for job_runner in job_runners),
        waiting=left.waiting,
        dead=left.dead,
        ready=left.ready,
        claimed_elsewhere=left.claimed,
        throttled=sum(job_runner.limiter.throttled for job_runner in job_runners),
        processed=sum(c.done for c in processed),
        embedded=sum(c.done for c in embedded),
        passed_over=sum(c.skipped for c in processed),
        failures=dict(failures),
    )


def snapshot_of(job_runners: Sequence[JobRunner], elapsed_seconds: float) -> Snapshot:
    """Where these jobs stand; the last of them is at work."""
    walked = _walked(job_runners)
    uploads = _counts(job_runners, Stage.UPLOAD)
    at_work = job_runners[-1] if job_runners else None
    before = StageCount(
        done=sum(c.done for c in uploads),
        failed=sum(c.failed for c in uploads),
        total=sum(w.to_do for w in walked) + sum(one.begun.items for one in job_runners),
        done_bytes=sum(c.done_bytes for c in uploads),
        total_bytes=sum(w.to_do_bytes for w in walked)
        + sum(one.begun.size_bytes for one in job_runners),
    )
    stages = {}
    if before.total or uploads or not job_runners:
        stages[Stage.UPLOAD.value] = before
    for stage in (Stage.PROCESS, Stage.EMBED):
        runners = _runners(job_runners, stage)
        if runners:
            before = stages[stage.value] = _count(runners, before)
    return Snapshot(
        stages=stages,
        walking=at_work is None or (at_work.scan is not None and at_work.scan.is_under_way),
        walked_files=sum(w.files for w in walked),
        window=at_work.limiter.pacer.limit if at_work else 0,
        in_flight=at_work.limiter.pacer.in_flight if at_work else 0,
        throttled=sum(one.limiter.throttled for one in job_runners),
        errors=sum(one.failed for one in job_runners),
        elapsed_seconds=elapsed_seconds,
        paused=at_work.breaker.reason if at_work else None,
    )


def _walked(job_runners: Sequence[JobRunner]) -> list[Walked]:
    scans = (one.scan for one in job_runners)
    return [walked for scan in scans if scan is not None for walked in scan.walked]


def _runners(job_runners: Sequence[JobRunner], stage: Stage) -> list[StageRunner]:
    found = (one.stage(stage) for one in job_runners)
    return [runner for runner in found if runner is not None]


def _counts(job_runners: Sequence[JobRunner], stage: Stage) -> list[StageCounts]:
    return [runner.counts for runner in _runners(job_runners, stage)]


def _count(runners: Sequence[StageRunner], before: StageCount) -> StageCount:
    """One stage's numbers: what it settled, what waits for it, and what is still on its way."""
    counts = [runner.counts for runner in runners]
    settled = sum(c.done + c.skipped + c.failed for c in counts)
    held = sum(runner.claims.held for runner in runners)
    coming = max(0, before.total - before.done - before.skipped - before.failed)
    return StageCount(
        done=sum(c.done for c in counts),
        skipped=sum(c.skipped for c in counts),
        failed=sum(c.failed for c in counts),
        total=settled + held + sum(runner.left for runner in runners) + coming,
        done_bytes=sum(c.done_bytes for c in counts),
    )
