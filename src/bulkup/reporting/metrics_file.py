"""The metrics file: Prometheus' text format, for the textfile collector of its node exporter.

The only importer of prometheus_client, which it imports late. Names follow Prometheus' conventions
("Metric and label naming"): base units, `_total` for counters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple, Self

from bulkup.errors import BulkupError
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.metrics import LastRun
from bulkup.manifest.reports.status import Status
from bulkup.model import Stage, State
from bulkup.reporting.atomic_file import whole_file
from bulkup.run.heartbeat import here

if TYPE_CHECKING:
    from prometheus_client import Metric

PERIOD_SECONDS = 15.0
"""Between two writes during a run: the usual scrape interval of Prometheus."""

MODE = 0o644  # the node exporter is another user; the metrics are not private

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the latency histogram, from a fast local store to a slow connection."""

_FAILED = (State.WAITING, State.DEAD)


@dataclass(frozen=True, slots=True)
class Facts:
    """The data of the metrics at one moment. `latencies` are (seconds, attempts), ascending."""

    status: Status
    latencies: dict[Stage, list[tuple[float, int]]]
    last_runs: Sequence[LastRun]
    runs_at_work: int
    stale_claims: int
    throttled: int  # requests, over all runs
    cluster: RunFacts


class RunFacts(NamedTuple):
    """What the manifest does not have of a run that has not ended yet."""

    throttled: int = 0  # requests
    workers: int = 0  # of a cluster, with so many tasks out
    tasks_out: int = 0


IDLE = RunFacts()


def gather(
    reader: Reader, *, now: float, stale_after_seconds: float, at_work: RunFacts = IDLE
) -> Facts:
    """Read the manifest; `at_work` is added to it."""
    machine, claims = here(), reader.reports.claims()
    gone = {
        run.id: machine.is_gone(run, now=now, stale_after_seconds=stale_after_seconds)
        for run in reader.runs.open_runs()
    }
    return Facts(
        status=reader.reports.status(),
        latencies=reader.metrics.latencies(),
        last_runs=reader.metrics.last_runs(),
        runs_at_work=sum(not is_gone for is_gone in gone.values()),
        stale_claims=sum(claims.get(run_id, 0) for run_id, is_gone in gone.items() if is_gone),
        throttled=reader.metrics.throttled() + at_work.throttled,
        cluster=at_work,
    )


def cumulative(latencies: Sequence[tuple[float, int]]) -> list[tuple[str, float]]:
    """(upper bound, attempts that took at most that long), ending with ('+Inf', all)."""
    buckets = [
        (str(bound), float(sum(count for seconds, count in latencies if seconds <= bound)))
        for bound in BOUNDS_SECONDS
    ]
    return [*buckets, ("+Inf", float(sum(count for _, count in latencies)))]


def render(facts: Facts) -> bytes:
    """The text format, version 0.0.4."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Collector:
        def collect(self) -> Iterator[Metric]:
            yield from _work(facts)
            yield from _results(facts)
            yield from _runs(facts)

    registry = CollectorRegistry()
    registry.register(Collector())
    text: bytes = generate_latest(registry)
    return text


def _work(facts: Facts) -> Iterator[Metric]:
    """Metrics of files and items."""
    status = facts.status
    present = status.assets - status.missing
    yield _gauge(
        "assets", "Files known.", [(("present",), present), (("missing",), status.missing)], "state"
    )
    yield _gauge("contents", "Unique contents of those files.", [((), status.unique)])
    yield from _stages(status)
    yield _gauge(
        "failed_items",
        "Items waiting or dead, by the class of their last error.",
        [((name,), count) for name, count in status.failures.items()],
        "error_class",
    )
    yield _gauge("stale_claims", "Items claimed by dead runs.", [((), facts.stale_claims)])


def _stages(status: Status) -> Iterator[Metric]:
    stages = status.stages.items()
    yield _gauge(
        "items",
        "Work items by stage and state.",
        [((stage, state), n) for stage, found in stages for state, n in found.states.items()],
        "stage",
        "state",
    )
    yield _gauge(
        "queue_depth",
        "Work items that are ready or waiting.",
        [((s,), f.states[State.READY] + f.states[State.WAITING]) for s, f in stages],
        "stage",
    )
    yield _gauge(
        "done_bytes",
        "Size of the contents that are done.",
        [((stage,), found.bytes_done) for stage, found in stages],
        "stage",
    )
    yield _gauge(
        "failure_ratio",
        "Failed items as a share of those done or failed.",
        [((stage,), _failure_ratio(found.states)) for stage, found in stages],
        "stage",
    )


def _results(facts: Facts) -> Iterator[Metric]:
    """Metrics of objects and attempts."""
    from prometheus_client.core import HistogramMetricFamily

    for name, unit in (("objects", "Objects"), ("bytes", "Bytes")):
        yield _gauge(
            f"destination_{name}",
            f"{unit} known to be at a destination.",
            [((d.url,), getattr(d, name)) for d in facts.status.destinations],
            "destination",
        )
    histogram = HistogramMetricFamily(
        "bulkup_attempt_duration_seconds",
        "Duration of successful attempts, within 5 %.",
        labels=["stage"],
    )
    for stage in Stage:
        taken = facts.latencies.get(stage, [])
        histogram.add_metric([stage], cumulative(taken), sum(s * count for s, count in taken))
    yield histogram


def _runs(facts: Facts) -> Iterator[Metric]:
    """Metrics of runs and throttling."""
    from prometheus_client.core import CounterMetricFamily

    yield _gauge("runs_at_work", "Runs that are alive.", [((), facts.runs_at_work)])
    runs = facts.last_runs
    yield _gauge(
        "last_run_start_timestamp_seconds",
        "Start of the latest run of a command.",
        [((run.command,), run.started_at) for run in runs],
        "command",
    )
    yield _gauge(
        "last_run_end_timestamp_seconds",
        "End of the latest finished run of a command.",
        [((run.command,), run.ended_at) for run in runs if run.ended_at is not None],
        "command",
    )
    yield _gauge(
        "last_run_exit_code",
        "Its exit code; absent if it was killed.",
        [((run.command,), run.exit_code) for run in runs if run.exit_code is not None],
        "command",
    )
    yield CounterMetricFamily(
        "bulkup_throttled_requests", "Requests that a server throttled.", value=facts.throttled
    )
    cluster = facts.cluster
    yield _gauge("engine_workers", "Workers of the cluster at work.", [((), cluster.workers)])
    yield _gauge("engine_tasks", "Tasks that they have.", [((), cluster.tasks_out)])


def _gauge(
    name: str,
    help: str,  # noqa: A002 - the word of the format
    values: Iterable[tuple[tuple[str, ...], float]],
    *labels: str,
) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"bulkup_{name}", help, labels=labels)
    for of, value in values:
        family.add_metric([str(label) for label in of], value)
    return family


def _failure_ratio(states: dict[State, int]) -> float:
    failed = sum(states[state] for state in _FAILED)
    ended = failed + states[State.DONE]
    return failed / ended if ended else 0.0


def is_metrics(head: bytes) -> bool:
    """Whether a file that begins like this is a metrics file of bulkup."""
    return head.startswith(b"# HELP bulkup_")


def write(
    path: str,
    manifest: str,
    *,
    now: float,
    stale_after_seconds: float,
    at_work: RunFacts = IDLE,
) -> None:
    """Read the manifest and replace the file. Raises ManifestError, OSError."""
    with Reader(manifest) as reader:
        facts = gather(reader, now=now, stale_after_seconds=stale_after_seconds, at_work=at_work)
    with whole_file(path, mode=MODE) as file:
        file.write(render(facts))


class MetricsFile:
    """Rewrites the file from its own thread during a run, and once at its end.

    It has its own connection to the manifest, so it never waits for the run. A write that fails is
    retried a period later; `trouble` is the error of the last write, or None.
    """

    def __init__(
        self,
        write_once: Callable[[RunFacts], None],
        take: Callable[[], RunFacts],
        *,
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        """`write_once(facts)` writes; `take` is called from the thread."""
        self._write_once = write_once
        self._take = take
        self._period_seconds = period_seconds
        self._ended = Event()
        self._thread = Thread(target=self._keep, name="bulkup-metrics", daemon=True)
        self.trouble: str | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write the final metrics; the run has been recorded."""
        self._ended.set()
        self._thread.join()
        self._write(IDLE)  # the manifest includes this run's counts by now

    def _keep(self) -> None:
        while not self._ended.wait(self._period_seconds):
            self._write(self._take())

    def _write(self, at_work: RunFacts) -> None:
        try:
            self._write_once(at_work)
        except OSError as error:
            self.trouble = error.strerror or str(error)
        except BulkupError as error:
            self.trouble = str(error)
        else:
            self.trouble = None
