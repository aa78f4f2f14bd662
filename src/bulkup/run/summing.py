"""Crews → the numbers of their run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.manifest.queue import Left
from bulkup.model import Stage
from bulkup.run.events import Snapshot, StageCount, Summary

if TYPE_CHECKING:
    from bulkup.run.crew import Crew
    from bulkup.run.stage_work import StageWork


def summary_of(crews: Sequence[Crew], left: Left) -> Summary:
    """What these crews have done, and what is left; whose run it was is for the caller to add."""
    walked = [walked for crew in crews for walked in crew.finding.walked]
    counts = [crew.uploading.counts for crew in crews]
    failures: Counter[str] = Counter()
    for one in counts:
        failures.update({str(name): number for name, number in one.failures.items()})
    for walk in walked:
        failures.update({str(name): number for name, number in walk.broken.items()})
    later = [work for crew in crews for work in crew.later]
    for work in later:
        failures.update({str(name): number for name, number in work.counts.failures.items()})
    return Summary(
        run_id="",
        command="",
        destination=", ".join(dict.fromkeys(crew.job.destination.url for crew in crews)),
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
        copied=sum(crew.copied for crew in crews),
        waiting=left.waiting,
        dead=left.dead,
        ready=left.ready,
        claimed_elsewhere=left.claimed,
        throttled=sum(crew.gate.throttled for crew in crews),
        processed=sum(w.counts.done for w in later if w.stage is Stage.PROCESS),
        embedded=sum(w.counts.done for w in later if w.stage is Stage.EMBED),
        passed_over=sum(w.counts.skipped for w in later if w.stage is Stage.PROCESS),
        failures=dict(failures),
    )


def snapshot_of(crews: Sequence[Crew], elapsed_seconds: float) -> Snapshot:
    """Where these crews stand; the last of them is the one at work."""
    walked = [walked for crew in crews for walked in crew.finding.walked]
    counts = [crew.uploading.counts for crew in crews]
    at_work = crews[-1] if crews else None
    upload = StageCount(
        done=sum(c.done_files for c in counts),
        failed=sum(c.failed for c in counts),
        total=sum(w.to_do for w in walked) + sum(crew.begun.items for crew in crews),
        done_bytes=sum(c.done_bytes for c in counts),
        total_bytes=sum(w.to_do_bytes for w in walked)
        + sum(crew.begun.size_bytes for crew in crews),
    )
    stages = {Stage.UPLOAD.value: upload} if upload.total or not crews or not _later(crews) else {}
    before = upload
    for stage in (Stage.PROCESS, Stage.EMBED):
        works = [work for crew in crews for work in crew.later if work.stage is stage]
        if works:
            before = _later_count(works, before)
            stages[stage.value] = before
    return Snapshot(
        stages=stages,
        walking=at_work is None or at_work.finding.is_under_way,
        walked_files=sum(w.files for w in walked),
        window=at_work.gate.pacer.limit if at_work else 0,
        in_flight=at_work.gate.pacer.in_flight if at_work else 0,
        throttled=sum(crew.gate.throttled for crew in crews),
        errors=sum(crew.failed for crew in crews),
        elapsed_seconds=elapsed_seconds,
        paused=at_work.riding.reason if at_work else None,
    )


def _later(crews: Sequence[Crew]) -> bool:
    return any(crew.later for crew in crews)


def _later_count(works: Sequence[StageWork], before: StageCount) -> StageCount:
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
