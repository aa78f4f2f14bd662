"""Jobs → the numbers of their run, and what is said of their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.errors import BulkupError, DestinationError
from bulkup.events import Notice, Summary
from bulkup.manifest.queue.uploads import Left
from bulkup.model import Snapshot, Stage, StageCount
from bulkup.run.circuit_breaker import plain
from bulkup.run.heartbeat import machine_of

if TYPE_CHECKING:
    from bulkup.manifest.runs import RunRow
    from bulkup.run.job import Job
    from bulkup.run.job_runner import JobRunner
    from bulkup.run.scan.recorder import Walked
    from bulkup.run.stages.counts import StageCounts
    from bulkup.run.stages.runner import StageRunner


IN_HAND = 4
"""So many files at work are shown."""

_STILL_COMING = ("ready", "waiting", "claimed", "upcoming")
"""States of a stage that bring items to the next one; what is dead brings none unless retried."""


def summary_of(job_runners: Sequence[JobRunner], left: Left) -> Summary:
    """What these jobs have done, and what is left; the caller adds whose run it was."""
    walked = _walked(job_runners)
    uploads = _counts(job_runners, Stage.UPLOAD)
    processed = _counts(job_runners, Stage.PROCESS)
    embedded = _counts(job_runners, Stage.EMBED)
    changed = sum(w.changed for w in walked)
    # The scan took them for changed.
    touched = sum(c.touched - c.touched_earlier for c in uploads)
    return Summary(
        run_id="",
        command="",
        destination=urls_of([job_runner.job for job_runner in job_runners]),
        seconds=0.0,
        files=_files(walked),
        new=sum(w.new for w in walked),
        changed=changed - touched,
        unchanged=sum(w.unchanged for w in walked) + touched,
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
    destination since an earlier run; a new time alone is no change). The later stages count unique
    files: `done`, `skipped`, and `upcoming`, which wait for an earlier stage. All count what is
    `ready`, `waiting`, `dead`, `accepted` (dead, and known), or `claimed` by another run. At the
    upload these are unique files, too: what has the same bytes is a duplicate.
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
        upcoming = sum(numbers[name] for name in _STILL_COMING if name in numbers)
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
    before = _uploaded(job_runners, walked, uploads)
    stages = {}
    if before.total or uploads or not job_runners:
        stages[Stage.UPLOAD.value] = _with_earlier(job_runners, Stage.UPLOAD, before)
    for stage in (Stage.PROCESS, Stage.EMBED):
        runners = _runners(job_runners, stage)
        if runners:
            before = _count(runners, before)
            stages[stage.value] = _with_earlier(job_runners, stage, before)
    engine = at_work.engine if at_work else None
    return Snapshot(
        workers=engine.workers if engine else 0,
        tasks_out=engine.tasks_out if engine else 0,
        stages=stages,
        walking=at_work is None or (at_work.scan is not None and at_work.scan.is_under_way),
        walked_files=sum(w.files for w in walked),
        window=at_work.limiter.pacer.limit if at_work else 0,
        in_flight=at_work.limiter.pacer.in_flight if at_work else 0,
        throttled=sum(one.limiter.throttled for one in job_runners),
        errors=sum(one.failed for one in job_runners),
        elapsed_seconds=elapsed_seconds,
        paused=at_work.breaker.state if at_work else None,
        destination=at_work.destination_name if at_work else "",
        in_hand=_in_hand(at_work) if at_work else (),
        last_error=_last_error(at_work) if at_work else None,
    )


def _uploaded(
    job_runners: Sequence[JobRunner], walked: Sequence[Walked], uploads: Sequence[StageCounts]
) -> StageCount:
    """The bar of the uploads, without what earlier runs did."""
    begun = [one.begun for one in job_runners]
    return StageCount(
        done=sum(c.done for c in uploads),
        failed=sum(c.failed for c in uploads),
        dead=sum(c.dead for c in uploads),
        total=sum(w.to_do for w in walked) + sum(one.items for one in begun),
        done_bytes=sum(c.done_bytes for c in uploads),
        total_bytes=sum(w.to_do_bytes for w in walked) + sum(one.size_bytes for one in begun),
        duplicates=sum(c.duplicates + c.touched for c in uploads),
        sent_bytes=sum(c.sent_bytes for c in uploads),
    )


def _walked(job_runners: Sequence[JobRunner]) -> list[Walked]:
    scans = (one.scan for one in job_runners)
    return [walked for scan in scans if scan is not None for walked in scan.walked]


def _runners(job_runners: Sequence[JobRunner], stage: Stage) -> list[StageRunner]:
    found = (one.stage(stage) for one in job_runners)
    return [runner for runner in found if runner is not None]


def _counts(job_runners: Sequence[JobRunner], stage: Stage) -> list[StageCounts]:
    return [runner.counts for runner in _runners(job_runners, stage)]


def _in_hand(job_runner: JobRunner) -> tuple[tuple[str, int], ...]:
    """Path and bytes of the files that were begun first, and are not done."""
    items = [item for stage in job_runner.stages for item in stage.claims.oldest(IN_HAND)]
    return tuple((item.folder + item.name, item.size_bytes) for item in items[:IN_HAND])


def _last_error(job_runner: JobRunner) -> str | None:
    """Of a try that is to be repeated, else of an attempt."""
    if (failing := job_runner.requests.failing) is not None:
        return failing
    found = (stage.results.last_error for stage in job_runner.stages)
    return max((one for one in found if one is not None), default=(0.0, None))[1]


def _with_earlier(job_runners: Sequence[JobRunner], stage: Stage, count: StageCount) -> StageCount:
    """With what earlier runs did of the batches that these jobs resume."""
    earlier = [one.begun.earlier.get(stage, (0, 0)) for one in job_runners]
    files = sum(items for items, _ in earlier)
    size_bytes = sum(size for _, size in earlier)
    is_upload = stage is Stage.UPLOAD
    return count._replace(
        done=count.done + files,
        total=count.total + files,
        done_bytes=count.done_bytes + size_bytes * is_upload,
        total_bytes=count.total_bytes + size_bytes * is_upload,
    )


def _count(runners: Sequence[StageRunner], before: StageCount) -> StageCount:
    """One stage's numbers: what it settled, what waits for it, and what is still on its way.

    While the stage before is at work, what it has done and what waits here overlap from one
    moment to the next: then the total is what the stage before will bring, and what was here at
    first, which does not jump.
    """
    counts = [runner.counts for runner in runners]
    settled = sum(c.done + c.skipped + c.dead for c in counts)
    known = settled + sum(runner.claims.held + runner.left for runner in runners)
    coming = before.total - before.skipped - before.dead - before.duplicates
    is_fed = before.total > before.done + before.skipped + before.dead
    at_first = sum(runner.left_at_first for runner in runners)
    return StageCount(
        done=sum(c.done for c in counts),
        skipped=sum(c.skipped for c in counts),
        failed=sum(c.failed for c in counts),
        dead=sum(c.dead for c in counts),
        total=max(known, at_first + coming) if is_fed else known,
        done_bytes=sum(c.done_bytes for c in counts),
    )


def notice_of(error: BulkupError, job_runner: JobRunner) -> Notice:
    """What ended a job: where, why and what to do."""
    if not isinstance(error, DestinationError):
        return Notice(str(error), is_error=True, hint=error.hint)
    closer = f"To look closer: bulkup doctor --to {job_runner.job.destination.url}"
    return Notice(
        reason_of(error, job_runner.destination_name),
        is_error=True,
        hint=f"{error.hint}\n{closer}" if error.hint else closer,
    )


def claims_notice(run: RunRow, count: int) -> Notice:
    """Which run has claimed so many files of this one."""
    files = "1 file is" if count == 1 else f"{count:,} files are"
    where = f"pid {run.pid} on {machine_of(run.host)}"
    return Notice(f"{files} in progress in another run: {run.command} {run.id}, {where}")


def reason_of(error: BulkupError, destination: str) -> str:
    """What ended a job, in a sentence that names the destination where it is its trouble."""
    if not isinstance(error, DestinationError):
        return str(error)
    return f"{destination}: {plain(error)}"


def stages_of(job_runners: Sequence[JobRunner]) -> list[Stage]:
    """All stages of these jobs."""
    wanted = {stage for one in job_runners for stage in one.job.order.stages}
    return [stage for stage in Stage if stage in wanted]


def destinations_of(job_runners: Sequence[JobRunner]) -> list[int]:
    """Where these jobs' later stages work on all items."""
    jobs = [job_runner.job for job_runner in job_runners]
    return [job.destination.id for job in jobs if not job.is_batch_only]


def urls_of(jobs: Sequence[Job]) -> str:
    """The destinations of these jobs, each once."""
    return ", ".join(dict.fromkeys(job.destination.url for job in jobs))
