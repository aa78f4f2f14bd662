"""The metrics file, read back by Prometheus' own parser."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

from prometheus_client.parser import text_string_to_metric_families

from bulkup.errors import ErrorClass, ManifestLocked
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.runs import RunRow
from bulkup.reporting.metrics_file import (
    Facts,
    MetricsFile,
    RunFacts,
    cumulative,
    gather,
    render,
    write,
)
from tests.unit.manifest.recording import NOW, Pusher, file, folder, run_row

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: bytes) -> Samples:
    """Value by sample name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"bulkup_{name}", tuple(sorted(labels.items()))]


def facts_of(path: str, *, now: float = NOW, throttled: int = 0) -> Facts:
    with Reader(path) as reader:
        return gather(reader, now=now, stale_after_seconds=600, at_work=RunFacts(throttled, 3, 5))


def busy_manifest(path: str) -> None:
    """Two contents done, one waiting, one dead, two claimed by a run that has gone silent."""
    with Manifest(path) as manifest:
        pusher = Pusher.begin(manifest, "silent")
        pusher.push("a.jpg", "b.jpg")
        works = pusher.record(folder(new=[file(f"{n}.jpg") for n in range(4)]))
        pusher.failed(works[0], due_at=NOW + 60)
        pusher.failed(works[1], error_class=ErrorClass.INVALID)
        manifest.runs.begin(retry_row("ended"))
        manifest.runs.end("ended", now=NOW + 5, exit_code=3, summary={"throttled": 7})


def retry_row(run_id: str) -> RunRow:
    return run_row(run_id)._replace(started_at=NOW + 1, command="retry")


def test_the_file_says_what_the_manifest_says(tmp_path: Path) -> None:
    path = str(tmp_path / "manifest.db")
    busy_manifest(path)
    samples = parsed(render(facts_of(path, now=NOW + 3600, throttled=2)))
    counts = {
        state: value(samples, "items", stage="upload", state=state)
        for state in ("ready", "claimed", "waiting", "done", "skipped", "dead")
    }
    assert counts == {
        "ready": 0,
        "claimed": 2,
        "waiting": 1,
        "done": 2,
        "skipped": 0,
        "dead": 1,
    }
    assert value(samples, "assets", state="present") == 6
    assert value(samples, "queue_depth", stage="upload") == 1
    assert value(samples, "failure_ratio", stage="upload") == 0.5
    assert value(samples, "failure_ratio", stage="embed") == 0
    assert value(samples, "failed_items", error_class="invalid") == 1
    assert value(samples, "failed_items", error_class="network") == 1
    assert value(samples, "stale_claims") == 2
    assert value(samples, "runs_at_work") == 0
    assert value(samples, "throttled_requests_total") == 9
    assert value(samples, "last_run_exit_code", command="retry") == 3
    assert value(samples, "last_run_start_timestamp_seconds", command="push") == NOW
    assert value(samples, "last_run_end_timestamp_seconds", command="retry") == NOW + 5
    assert ("bulkup_last_run_exit_code", (("command", "push"),)) not in samples
    assert value(samples, "destination_objects", destination="/to") == 2


def test_the_histogram_is_the_latency_table(tmp_path: Path) -> None:
    path = str(tmp_path / "manifest.db")
    busy_manifest(path)  # attempts of 10 ms
    samples = parsed(render(facts_of(path)))
    name = "attempt_duration_seconds"
    assert value(samples, f"{name}_bucket", stage="upload", le="0.005") == 0
    assert value(samples, f"{name}_bucket", stage="upload", le="0.025") == 2
    assert value(samples, f"{name}_count", stage="upload") == 2
    assert abs(value(samples, f"{name}_sum", stage="upload") - 0.02) < 0.001
    assert value(samples, f"{name}_bucket", stage="process", le="+Inf") == 0


def test_buckets_are_cumulative_and_lose_nothing() -> None:
    latencies = [(0.001, 5), (0.05, 3), (59.0, 1), (600.0, 2)]
    buckets = cumulative(latencies)
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert dict(buckets)["0.005"] == 5
    assert dict(buckets)["0.05"] == 8
    assert dict(buckets)["60.0"] == 9
    assert buckets[-1] == ("+Inf", 11)


def test_without_a_manifest_everything_is_zero(tmp_path: Path) -> None:
    samples = parsed(render(facts_of(str(tmp_path / "none.db"))))
    assert value(samples, "assets", state="present") == 0
    assert not (tmp_path / "none.db").exists()


def test_the_cluster_of_a_run_at_work_is_counted(tmp_path: Path) -> None:
    samples = parsed(render(facts_of(str(tmp_path / "none.db"))))
    assert (value(samples, "engine_workers"), value(samples, "engine_tasks")) == (3, 5)


def test_other_users_may_read_the_file(tmp_path: Path) -> None:
    """The node exporter runs as a user of its own."""
    umask = os.umask(0o022)
    try:
        write(
            str(tmp_path / "b.prom"),
            str(tmp_path / "none.db"),
            now=NOW,
            stale_after_seconds=600,
        )
    finally:
        os.umask(umask)
    assert (tmp_path / "b.prom").stat().st_mode & 0o777 == 0o644


def test_it_is_written_during_the_run_and_at_its_end() -> None:
    written: list[RunFacts] = []
    twice = Event()

    def write_once(at_work: RunFacts) -> None:
        written.append(at_work)
        if len(written) == 2:
            twice.set()

    with MetricsFile(write_once, lambda: RunFacts(5), period_seconds=0.001):
        assert twice.wait(10)
    assert written[:2] == [RunFacts(5)] * 2
    assert written[-1] == RunFacts()  # by now the run's own count is in the manifest


def test_trouble_is_kept_until_a_write_succeeds() -> None:
    outcomes: list[Exception | None] = [
        OSError(28, "No space left on device"),
        ManifestLocked("locked"),
        None,
    ]

    def write_once(_: RunFacts) -> None:
        if (error := outcomes.pop(0)) is not None:
            raise error

    for expected in ("No space left on device", "locked", None):
        metrics = MetricsFile(write_once, RunFacts, period_seconds=60)
        with metrics:
            pass
        assert metrics.trouble == expected
    assert not outcomes
