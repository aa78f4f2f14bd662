"""How many requests a second a throttling server accepts. Pure, and without a clock.

A limit of concurrency does not satisfy a server that accepts R requests a second: eight requests of
1 ms are 8,000 a second. So the first refusal sets a cap on the rate at which requests start. R is
not known then: the cap begins low and grows by half with each step without a refusal (search),
until the server refuses again. What it accepted just before is R; the cap is set just below it and
from there follows CUBIC's curve (RFC 9438): quickly up to the last known good rate, slowly around
it, then faster and faster, until the server refuses again.

A cut leaves 95 % of the measured rate where TCP leaves 70 %: TCP must empty a queue that its own
packets filled, and a refused request fills none.
"""

from __future__ import annotations

from typing import NamedTuple

FLOOR_PER_SECOND = 0.5
"""The lowest rate: botocore's floor in adaptive mode."""

CUT = 0.95
"""Of the measured rate, which may be 5 % too high."""

BLIND_CUT = 0.7
"""Of the cap, when too little was measured: CUBIC's beta."""

DEEPEST_CUT = 0.5
"""The most that one cut takes: a short outage is no rate."""

SEARCH_GROWTH = 1.5
"""The first steps of the search. After each step that was too long they are half as long."""

SEARCHED_GROWTH = 1.05
"""The search ends with steps as short as this; then the curve begins."""

PLATEAU_SECONDS = 5.0
"""From a cut back to the last known good rate. The next refusal is about 9 s after a cut."""

PLATEAU_REQUESTS = 40.0
"""The same for servers so slow that five seconds have few answers."""

FASTEST_GROWTH_PER_SECOND = 0.5
"""The steepest growth of the curve, for a server that has become much faster."""

MEASURED_SECONDS = 0.1
MEASURED_ACCEPTED = 16
"""Less mostly measures the burst that servers accept."""


class Measured(NamedTuple):
    """The answers at the current cap; requests sent before it are not counted."""

    seconds: float
    accepted: int
    refused: int

    @property
    def trusted(self) -> bool:
        return self.seconds >= MEASURED_SECONDS and self.accepted >= MEASURED_ACCEPTED

    @property
    def accepted_per_second(self) -> float:
        return self.accepted / max(self.seconds, MEASURED_SECONDS)

    @property
    def too_many_refused(self) -> bool:
        """More than 2 %, and more than two: S3 refuses a few requests of every busy client."""
        return self.refused > 2 + 0.02 * (self.accepted + self.refused)


class RateLimit(NamedTuple):
    """A cap on the requests that start each second; there is none before the first throttle."""

    per_second: float
    known_good: float  # what the server was measured to accept
    bound_seconds: float = 0.0  # since the last cut: how long the cap held requests back
    growth: float = 1.0  # factor of the next step of the search; 1.0: it is over
    stepped: bool = False  # since the last cut: one step lower there was no refusal

    @property
    def searching(self) -> bool:
        return self.growth > 1.0


def first_limit(measured: Measured) -> RateLimit:
    """The cap after the first refusal: the rate accepted until now. The search begins."""
    per_second = max(CUT * measured.accepted_per_second, FLOOR_PER_SECOND)
    return RateLimit(per_second=per_second, known_good=per_second, growth=SEARCH_GROWTH)


def known_limit(per_second: float) -> RateLimit:
    """The cap when an earlier run has learned what the server accepts."""
    per_second = max(per_second, FLOOR_PER_SECOND)
    return RateLimit(per_second=max(CUT * per_second, FLOOR_PER_SECOND), known_good=per_second)


def cut(limit: RateLimit, measured: Measured) -> RateLimit:
    """The cap after too many refusals: never above 95 % of the old one, nor below half of it."""
    growth = 1 + (limit.growth - 1) / 2
    if growth < SEARCHED_GROWTH:
        growth = 1.0
    if not measured.trusted:
        known_good = BLIND_CUT * limit.per_second / CUT
        if measured.accepted == 0:
            growth = SEARCH_GROWTH
    else:
        accepted = measured.accepted_per_second
        # While the cap grows, the accepted rate is a step behind it.
        clean = limit.per_second / limit.growth if limit.stepped else 0.0
        deepest = max(DEEPEST_CUT * limit.per_second, clean)
        known_good = min(max(accepted, deepest), limit.per_second)
        if accepted < deepest and not limit.stepped:
            growth = SEARCH_GROWTH  # an outage, or another server: search again
    return RateLimit(
        per_second=max(CUT * known_good, FLOOR_PER_SECOND),
        known_good=max(known_good, FLOOR_PER_SECOND),
        growth=growth,
    )


def grown(limit: RateLimit, seconds: float, *, clean: bool) -> RateLimit:
    """The cap after `seconds` in which it held requests back. Never lower than before.

    `clean`: enough requests were answered and none refused; only the search uses it.
    """
    if limit.searching:
        if not clean:
            return limit
        faster = limit.per_second * limit.growth
        return limit._replace(per_second=faster, known_good=faster, stepped=True)
    bound = limit.bound_seconds + seconds
    plateau = max(PLATEAU_SECONDS, PLATEAU_REQUESTS / limit.known_good)
    x = (bound - plateau) / plateau
    on_curve = limit.known_good * (1 + (1 - CUT) * x**3)
    fastest = limit.per_second * (1 + FASTEST_GROWTH_PER_SECOND * seconds)
    per_second = max(limit.per_second, min(on_curve, fastest))
    return limit._replace(per_second=per_second, bound_seconds=bound)
