"""How the pacer behaves against modelled endpoints: a discrete-event simulation in fake time.

    python benchmarks/simulate_window.py                 every scenario, one line each
    python benchmarks/simulate_window.py throttle-200    one scenario, with its course in time

It needs no network and no server and takes some seconds. The tests of bulkup.pace use it, too.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass, field
from random import Random

from bulkup.pace.learned import Learned
from bulkup.pace.pacer import Pacer

CLIENT_SECONDS = 50e-6  # CPU time of one request in the client: no two start at the same moment
TIMER_LATE_SECONDS = 1e-3  # asyncio's timers wake up to this much late
JITTER_SECONDS = 2e-4  # of the way to the server


@dataclass
class FakeClock:
    """A clock that the test moves."""

    at: float = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Endpoint:
    """A server, and the way to it.

    A request travels half of `latency_seconds`, queues for the uplink and one of `workers` (None:
    there is one for each) that take `work_seconds`, and its answer travels the other half. With
    `rate_per_second` it is a leaky bucket (GCRA): a request is refused, at once, when the one now
    due lies more than `burst` steps ahead.
    """

    latency_seconds: float = 0.001
    rate_per_second: float | None = None
    burst: int = 5
    retry_after_seconds: float | None = None
    uplink_bytes_per_second: float | None = None
    workers: int | None = None
    work_seconds: float = 0.0
    fail_share: float = 0.0
    stray_refusals: float = 0.0  # share refused whatever the rate
    _due: float = 0.0
    _link_free: float = 0.0
    _free: list[float] = field(default_factory=list)

    def answer(self, now: float, size_bytes: int, random: Random) -> tuple[str, float]:
        """('ok' | 'refused' | 'failed', when the answer is back)."""
        arrives = now + self.latency_seconds / 2 + random.uniform(0, JITTER_SECONDS)
        back = self.latency_seconds / 2
        if self.rate_per_second is not None:
            step = 1 / self.rate_per_second
            due = max(self._due, arrives)
            if due - arrives > self.burst * step:
                return "refused", arrives + back
            self._due = due + step
        if random.random() < self.stray_refusals:
            return "refused", arrives + back
        if random.random() < self.fail_share:
            return "failed", arrives + back
        if self.uplink_bytes_per_second is not None:
            self._link_free = max(self._link_free, arrives) + (
                size_bytes / self.uplink_bytes_per_second
            )
            arrives = self._link_free
        if self.workers is not None:
            if len(self._free) < self.workers:
                heapq.heappush(self._free, arrives)
            arrives = max(heapq.heappop(self._free), arrives) + self.work_seconds
            heapq.heappush(self._free, arrives)
        else:
            arrives += self.work_seconds
        return "ok", arrives + back


@dataclass
class Course:
    """What happened: times in seconds since the start."""

    accepted_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    failed_at: list[float] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)
    rates: list[tuple[float, float | None]] = field(default_factory=list)
    most_in_flight: int = 0
    gave_up: int = 0  # requests whose tries ran out; they come back as another attempt would
    learned: Learned | None = None

    @property
    def seconds(self) -> float:
        return self.accepted_at[-1]

    @property
    def refused_share(self) -> float:
        return len(self.refused_at) / (len(self.refused_at) + len(self.accepted_at))

    def goodput(self, begin: float = 0.0, end: float | None = None) -> float:
        """Accepted requests a second between two times."""
        end = self.seconds if end is None else end
        return sum(begin <= at < end for at in self.accepted_at) / (end - begin)

    def settled_goodput(self) -> float:
        """From 3 s on until 95 % are accepted: the last wait for their next try only."""
        end = sorted(self.accepted_at)[int(len(self.accepted_at) * 0.95)]
        return self.goodput(3.0, end) if end > 4.0 else float("nan")

    def limit_at(self, seconds: float) -> int:
        return [limit for at, limit in self.limits if at <= seconds][-1]


class Simulation:
    """One dispatcher that starts requests as the pacer allows, and tries refused ones again."""

    def __init__(
        self,
        endpoint: Endpoint,
        sizes: list[int],
        *,
        seed: int = 1,
        tries: int = 5,
        arrivals_per_second: float | None = None,
        fixed_limit: int | None = None,
        max_rate_per_second: float | None = None,
        learned: Learned | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.random = Random(seed)
        self.clock = FakeClock()
        self.pacer = Pacer(
            self.clock,
            fixed_limit=fixed_limit,
            max_rate_per_second=max_rate_per_second,
            learned=learned,
        )
        self.tries = tries
        self.queue: list[tuple[int, int]] = []  # (size, tries made), next last
        self.course = Course()
        self._events: list[tuple[float, int, str, int, int, float]] = []
        self._serial = 0
        self._cpu_free = 0.0
        self._wake_at = -1.0
        if arrivals_per_second is None:
            self.queue = [(size, 0) for size in reversed(sizes)]
        else:
            for number, size in enumerate(sizes):
                self._at(number / arrivals_per_second, "due", size, 0, 0.0)

    def run(self, until: float = float("inf")) -> Course:
        """Run until all is accepted, or until a time."""
        if self.clock.at == 0.0:
            self._check()
        self._dispatch()
        while self._events and self.clock.at < until:
            at, _, kind, size, made, began = heapq.heappop(self._events)
            self.clock.at = max(self.clock.at, at)
            self._happen(kind, size, made, began)
            self._note()
            self._dispatch()
        self.course.learned = self.pacer.learned()
        return self.course

    def _check(self) -> None:
        """The first request of a run has no body: it asks whether the destination is there."""
        self.pacer.started(self.clock.at)
        self.clock.at += self.endpoint.latency_seconds + self.endpoint.work_seconds
        self.pacer.finished(self.clock.at, 0, self.clock.at)

    def _happen(self, kind: str, size: int, made: int, began: float) -> None:
        now = self.clock.at
        if kind == "wake":
            self._wake_at = -1.0
        elif kind == "due":
            self.queue.append((size, made))
        elif kind == "ok":
            self.pacer.finished(now, size, now - began)
            self.course.accepted_at.append(now)
        else:
            wait = self.random.uniform(0, min(2.0**made, 30.0))
            if kind == "refused":
                retry_after = self.endpoint.retry_after_seconds
                self.pacer.throttled(now, retry_after)
                self.course.refused_at.append(now)
                wait = wait if retry_after is None else retry_after
            else:
                self.pacer.failed(now)
                self.course.failed_at.append(now)
            if made + 1 >= self.tries:
                self.course.gave_up += 1
                made = -1
            self._at(now + wait, "due", size, made + 1, 0.0)

    def _dispatch(self) -> None:
        pacer = self.pacer
        while self.queue and pacer.in_flight < pacer.limit:
            now = self.clock.at
            wait = pacer.delay_seconds(now)
            if wait > 0.0:
                if self._wake_at <= now:
                    self._wake_at = now + wait + self.random.uniform(0, TIMER_LATE_SECONDS)
                    self._at(self._wake_at, "wake", 0, 0, 0.0)
                return
            size, made = self.queue.pop()
            pacer.started(now)
            self._cpu_free = max(self._cpu_free, now) + CLIENT_SECONDS
            kind, back = self.endpoint.answer(self._cpu_free, size, self.random)
            self._at(back, kind, size, made, now)
            self.course.most_in_flight = max(self.course.most_in_flight, pacer.in_flight)

    def _note(self) -> None:
        course, now = self.course, self.clock.at
        if not course.limits or course.limits[-1][1] != self.pacer.limit:
            course.limits.append((now, self.pacer.limit))
        rate = self.pacer.rate_per_second
        if not course.rates or course.rates[-1][1] != rate:
            course.rates.append((now, rate))

    def _at(self, at: float, kind: str, size: int, made: int, began: float) -> None:
        self._serial += 1
        heapq.heappush(self._events, (at, self._serial, kind, size, made, began))


KIB, MIB = 1024, 1024 * 1024


def scenarios() -> dict[str, Simulation]:
    """Fresh simulations by name."""
    small = [20 * KIB]
    photos = [size * MIB for size in (2, 3, 4, 5, 6)]
    found = {
        f"throttle-{rate}-{latency}ms{'-retry-after' if after else ''}": Simulation(
            Endpoint(latency / 1000, rate_per_second=rate, retry_after_seconds=after),
            small * max(3000, rate * 10),
        )
        for rate in (20, 200, 1000, 3500)
        for latency in (1, 20, 100)
        for after in (None, 1.0)
    }
    found["fast"] = Simulation(Endpoint(0.001), small * 20_000)
    found["far"] = Simulation(Endpoint(0.1), small * 20_000)
    found["busy-server"] = Simulation(
        Endpoint(0.005, workers=16, work_seconds=0.01), small * 20_000
    )
    found["home-photos"] = Simulation(
        Endpoint(0.03, uplink_bytes_per_second=2.5 * MIB), photos * 60
    )
    found["home-small"] = Simulation(
        Endpoint(0.03, uplink_bytes_per_second=2.5 * MIB), small * 20_000
    )
    found["stray-503"] = Simulation(Endpoint(0.02, stray_refusals=0.005), small * 20_000)
    found["slow-walk"] = Simulation(Endpoint(0.02), small * 3000, arrivals_per_second=100)
    return found


def main() -> None:
    """Parse, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="scenarios, or the beginning of their names")
    names: list[str] = parser.parse_args().names
    chosen = {
        name: simulation
        for name, simulation in scenarios().items()
        if not names or any(name.startswith(begin) for begin in names)
    }
    print(f"{'scenario':34} {'n/s':>8} {'after 3 s':>9} {'refused':>8} {'seconds':>8} limit, rate")
    for name, simulation in chosen.items():
        course = simulation.run()
        settled, rate = course.settled_goodput(), course.rates[-1][1]
        print(
            f"{name:34} {course.goodput():8.1f} {settled:9.1f} {course.refused_share:8.2%}"
            f" {course.seconds:8.2f} {course.limits[-1][1]}, {rate and round(rate, 1)}"
        )
        if len(chosen) == 1:
            print("limits:", *(f"{at:.3f}s:{limit}" for at, limit in course.limits[:60]))
            print("rates:", *(f"{at:.3f}s:{rate or 0:.0f}" for at, rate in course.rates[:60]))


if __name__ == "__main__":
    main()
