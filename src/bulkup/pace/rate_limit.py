"""How many requests a second a server that throttles will take. Pure, and knows no clock.

A server that refuses all above R requests a second cannot be held by concurrency alone: eight
requests of 1 ms are 8,000 a second. So the first refusal sets a cap on the rate at which requests
start. Nobody knows R then; the cap begins low and grows by half at each clean step (search) until
the server refuses again. By then what it accepted in the last moments is R itself, and the cap
settles just below it, and from there follows CUBIC's curve (RFC 9438): quickly up to the last
known good rate, long beside it, then faster and faster beyond, until the server refuses again.

A cut to 95 % of what was measured, where TCP takes 70 %: TCP must empty a queue that its own
packets fill; here a refused request has left nothing behind.
"""

from __future__ import annotations

from typing import NamedTuple

FLOOR_PER_SECOND = 0.5
"""No throttle brings the rate below this: botocore's floor in adaptive mode."""

CUT = 0.95
"""Of the measured rate: leaves 5 % for a measure that was too high."""

BLIND_CUT = 0.7
"""Of the cap, where too little was measured: CUBIC's beta."""

DEEPEST_CUT = 0.5
"""One cut takes no more: a short outage is no rate."""

SEARCH_GROWTH = 1.5
"""The first steps of the search. Each time one proves too long, the next are half as long."""

SEARCHED_GROWTH = 1.05
"""The search ends when its steps are this short: the curve does the rest."""

PLATEAU_SECONDS = 5.0
"""From a cut back to the last known good rate. The server is tried again about 9 s after a cut."""

PLATEAU_REQUESTS = 40.0
"""The same for servers so slow that in five seconds they have not said much."""

FASTEST_GROWTH_PER_SECOND = 0.5
"""The curve's far end: half more each second, should the server have become much faster."""

MEASURED_SECONDS = 0.1
MEASURED_ACCEPTED = 16
"""A measure over less time or fewer requests mostly shows the burst that servers let through."""


class Measured(NamedTuple):
    """What was answered at the current cap; requests sent before it do not count."""

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
        """More than 2 %, and more than chance: S3 refuses a few requests of any busy client."""
        return self.refused > 2 + 0.02 * (self.accepted + self.refused)


class RateLimit(NamedTuple):
    """A cap on the requests that start each second; there is none before the first throttle."""

    per_second: float
    known_good: float  # what the server was measured to accept
    bound_seconds: float = 0.0  # time since the last cut in which the cap kept requests waiting
    growth: float = 1.0  # what a clean step of the search multiplies the cap by; 1.0: it is over
    stepped: bool = False  # a step was made since the last cut: one step lower was clean

    @property
    def searching(self) -> bool:
        return self.growth > 1.0


def first_limit(measured: Measured) -> RateLimit:
    """The cap after the first refusal: what was accepted until now, and the search begins."""
    per_second = max(CUT * measured.accepted_per_second, FLOOR_PER_SECOND)
    return RateLimit(per_second=per_second, known_good=per_second, growth=SEARCH_GROWTH)


def known_limit(per_second: float) -> RateLimit:
    """The cap where an earlier run has learned what the server accepts."""
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
        # While the cap grows, what is accepted lags a step behind it.
        clean = limit.per_second / limit.growth if limit.stepped else 0.0
        deepest = max(DEEPEST_CUT * limit.per_second, clean)
        known_good = min(max(accepted, deepest), limit.per_second)
        if accepted < deepest and not limit.stepped:
            growth = SEARCH_GROWTH  # an outage, or another server: search anew
    return RateLimit(
        per_second=max(CUT * known_good, FLOOR_PER_SECOND),
        known_good=max(known_good, FLOOR_PER_SECOND),
        growth=growth,
    )


def grown(limit: RateLimit, seconds: float, *, clean: bool) -> RateLimit:
    """The cap after `seconds` in which it kept requests waiting. Never lower than before.

    `clean` says that enough was answered meanwhile, and nothing refused: only the search asks.
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
