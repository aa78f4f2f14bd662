"""Crews → the numbers of their run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bulkup.manifest.queue import Left
from bulkup.run.crew import Crew
from bulkup.run.events import Snapshot, StageCount, Summary


def summary_of(crews: Sequence[Crew], left: Left) -> Summary:
    """What these crews have done, and what is left; whose run it was is for the caller to add."""
    walked = [walked for crew in crews for walked in crew.finding.walked]
    counts = [crew.uploading.counts for crew in crews]
    failures: Counter[str] = Counter()
    for one in counts:
        failures.update({str(name): number for name, number in one.failures.items()})
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
        failures=dict(failures),
    )


def snapshot_of(crews: Sequence[Crew], elapsed_seconds: float) -> Snapshot:
    """Where these crews stand; the last of them is the one at work."""
    walked = [walked for crew in crews for walked in crew.finding.walked]
    counts = [crew.uploading.counts for crew in crews]
    failed = sum(c.failed for c in counts)
    at_work = crews[-1] if crews else None
    return Snapshot(
        upload=StageCount(
            done=sum(c.done_files for c in counts),
            failed=failed,
            total=sum(w.to_do for w in walked) + sum(crew.begun.items for crew in crews),
            done_bytes=sum(c.done_bytes for c in counts),
            total_bytes=sum(w.to_do_bytes for w in walked)
            + sum(crew.begun.size_bytes for crew in crews),
        ),
        walking=at_work is None or at_work.finding.is_under_way,
        walked_files=sum(w.files for w in walked),
        window=at_work.gate.pacer.limit if at_work else 0,
        in_flight=at_work.gate.pacer.in_flight if at_work else 0,
        throttled=sum(crew.gate.throttled for crew in crews),
        errors=failed,
        elapsed_seconds=elapsed_seconds,
        paused=at_work.riding.reason if at_work else None,
    )
