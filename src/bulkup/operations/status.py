"""Where everything stands, as `status --json` and the server show it."""

from __future__ import annotations

from bulkup.clock import iso_time
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.status import StageStatus
from bulkup.run.heartbeat import here, machine_of


def status_document(reader: Reader, stale_after_seconds: float, *, now: float) -> dict[str, object]:
    """`status --json`, schema 1: fields may be added, never renamed."""
    machine, claims = here(), reader.reports.claims()
    status = reader.reports.status()
    runs, stale = [], 0
    for run in reader.runs.open_runs():
        is_dead = machine.is_gone(run, now=now, stale_after_seconds=stale_after_seconds)
        stale += claims.get(run.id, 0) if is_dead else 0
        fields = {"id": run.id, "command": run.command, "host": machine_of(run.host)}
        alive = {"alive": not is_dead, "heartbeat_at": iso_time(run.heartbeat_at)}
        runs.append({**fields, "pid": run.pid, **alive})
    return {
        "schema": 1,
        "manifest": reader.path,
        "generated_at": iso_time(now),
        "assets": {
            "total": status.assets,
            "unique": status.unique,
            "duplicates": status.assets - status.unique,
            "bytes": status.assets_bytes,
            "missing": status.missing,
        },
        "stages": {str(stage): _stage(found) for stage, found in status.stages.items()},
        "searchable": status.searchable,
        "failures": {str(name): count for name, count in status.failures.items()},
        "accepted": status.accepted,
        "runs": runs,
        "stale_claims": stale,
        "destinations": [
            {"url": d.url, "objects": d.objects, "bytes": d.bytes}
            | ({"endpoint": d.endpoint} if d.endpoint else {})
            for d in status.destinations
        ],
    }


def running_ids(reader: Reader, stale_after_seconds: float, *, now: float) -> set[str]:
    """The runs that have not ended and whose process is there."""
    machine = here()
    return {
        run.id
        for run in reader.runs.open_runs()
        if not machine.is_gone(run, now=now, stale_after_seconds=stale_after_seconds)
    }


def _stage(stage: StageStatus) -> dict[str, object]:
    return {
        **{str(state): count for state, count in stage.states.items()},
        "bytes_done": stage.bytes_done,
        "p50_ms": stage.p50_ms,
        "p95_ms": stage.p95_ms,
        "p99_ms": stage.p99_ms,
    }
