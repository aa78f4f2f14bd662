"""Jobs → the numbers of their run."""

from __future__ import annotations

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


_UNFINISHED = ("ready", "waiting", "dead", "accepted", "claimed", "upcoming")


def summary_of(job_runners: Sequence[JobRunner], left: Left) -> Summary:
    """What these jobs have done, and what is left; the caller adds whose run it was."""
    walked = _walked(job_runners)
    uploads = _counts(job_runners, Stage.UPLOAD)
    processed = _counts(job_runners, Stage.PROCESS)
    embedded = _counts(job_runners, Stage.EMBED)
    return Summary(
        run_id="",
        command="",
        destination=", ".join(
            dict.fromkeys(job_runner.job.destination.url for job_runner in job_runners)
        ),
        seconds=0.0,
        files=_files(walked),
        new=sum(w.new for w in walked),
        changed=sum(w.changed for w in walked),
        unchanged=sum(w.unchanged for w in walked),
        gone=sum(w.gone for w in walked),
        left_out=sum(w.left_out for w in walked),
        sent=sum(c.sent for c in uploads),
        sent_bytes=sum(c.sent_bytes for c in uploads),
        adopted=sum(c.adopted for c in uploads),
        duplicates=sum(c.duplicates for c in uploads) + sum(w.duplicates for w in walked),
        duplicate_bytes=sum(c.duplicate_bytes for c in uploads)
        + sum(w.duplicate_bytes for w in walked),
        copied=sum(job_runner.copied for job_runner in job_runners),
        waiting=left.waiting,
        dead=left.dead,
        accepted=left.accepted,
        ready=left.ready,
        claimed_elsewhere=left.claimed,
        throttled=sum(job_runner.limiter.throttled for job_runner in job_runners),
        processed=sum(c.done for c in processed),
        embedded=sum(c.done for c in embedded),
        passed_over=sum(c.skipped for c in processed),
        stages=_stages(job_runners, left),
        failures=dict(left.failures),
    )


def _stages(job_runners: Sequence[JobRunner], left: Left) -> dict[str, dict[str, int]]:
    """The numbers of each stage of these jobs; `total` is the sum of the others.

    The upload counts files: `done` (sent or already there), `duplicates`, `unchanged` (at the
    destination since an earlier run). The later stages count unique files: `done`, `skipped`, and
    `upcoming`, which wait for an earlier stage. All count what is `ready`, `waiting`, `dead`,
    `accepted` (dead, and known), or `claimed` by another run. At the upload these are unique
    files, too: what has the same bytes is a duplicate.
    """
    stages: dict[str, dict[str, int]] = {}
    upcoming = 0
    for stage in Stage:
        counts = _counts(job_runners, stage)
        if not counts:
            continue
        if stage is Stage.UPLOAD:
            walked = _walked(job_runners)
            numbers = {
                "done": sum(c.sent + c.adopted for c in counts),
                "duplicates": sum(c.duplicates for c in counts) + sum(w.duplicates for w in walked),
                **left.at(stage),
            }
            numbers["unchanged"] = max(0, _files(walked) - sum(numbers.values()))
        else:
            done, skipped = (sum(c.done for c in counts), sum(c.skipped for c in counts))
            numbers = {"done": done, "skipped": skipped, **left.at(stage), "upcoming": upcoming}
        upcoming = sum(numbers[name] for name in _UNFINISHED if name in numbers)
        stages[stage.value] = numbers
    not_begun = left.ready - sum(n for _, state, n in left.by_stage if state == "ready")
    if not_begun:
        first = next(iter(stages.values()), None) or stages.setdefault(Stage.UPLOAD.value, {})
        first["ready"] = first.get("ready", 0) + not_begun
    return {name: {**numbers, "total": sum(numbers.values())} for name, numbers in stages.items()}


def _files(walked: Sequence[Walked]) -> int:
    """Files that the scans selected, those that could not be read included."""
    return sum(w.files + sum(w.broken.values()) for w in walked)


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
