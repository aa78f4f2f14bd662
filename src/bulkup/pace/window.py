"""How many requests may be in flight: decided from what the last period brought. Pure.

The window climbs like TCP's slow start, doubling while goodput grows with it, then holds and
looks, now and then, one step up and one step down. A home uplink is full with two or three requests
in flight, a distant region wants hundreds: goodput is the signal, a refusal only the brake.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

START_LIMIT = 8
"""Enough to be quick from the first request, few enough to frighten no server."""

MAX_LIMIT = 256
"""As many as s5cmd and azcopy use; more only queues, in the kernel or in the server."""

BACK_OFF = 0.7
"""What a throttle leaves of the window: CUBIC's beta (RFC 9438), botocore's too."""

GAIN_EXPONENT = 0.15
"""A step up is kept when goodput grows at least like limit ** 0.15: 11 % for a doubling. A full
link brings nothing at all, so a low bar tells it from a server that merely scales badly."""

KEEP_SHARE = 0.95
"""A step down is kept when it leaves this share of the best goodput: what more requests in flight
would bring is then queueing, not speed."""

BEST_DECAY = 0.98
"""What the best goodput is still worth a period later: a link may have become slower."""

MOST_HOLDS = 16
"""Periods between two looks once several looks have found nothing: a look down costs goodput."""

SHORT_SECONDS = 1.0
"""A period this short may be unlucky and is cheap to repeat; a longer one has seen enough."""

QUICK_LIMIT = 32
QUICK_SECONDS = 0.05
"""While requests take less than 50 ms, up to 32 in flight are not questioned: the differences in
goodput are then noise of this machine, and there is no queue on the way to keep short."""

REQUEST_COST_BYTES = 64 * 1024
"""What a request costs besides its bytes, counted as bytes. Files far smaller are thus measured in
objects a second, far larger ones in bytes, and a period that holds both in something between."""


class Phase(StrEnum):
    """What the window is trying out."""

    CLIMB = "climb"  # doubling
    HOLD = "hold"  # at the limit it believes in
    UP = "up"  # one step above it
    DOWN = "down"  # one step below it


class Sample(NamedTuple):
    """What one period brought. Requests are counted when they are answered."""

    seconds: float
    completed: int  # answered and not refused for being too many
    bytes_sent: int  # in the bodies of those
    throttled: int  # refused for being too many
    failed: int  # no answer, or the server's own fault
    limit: int  # the limit it ran at
    needed: int  # in flight at the rate the server is known to accept; 0: that is not known
    latency_seconds: float  # of a request, on average
    limit_used: bool  # the limit, and not the walk, the disk or a rate, kept requests from starting

    @property
    def goodput(self) -> float:
        """Bytes a second, each request counted as REQUEST_COST_BYTES more than its body."""
        work = self.bytes_sent + self.completed * REQUEST_COST_BYTES
        return work / max(self.seconds, 1e-6)

    @property
    def quick(self) -> bool:
        """So near that some more requests in flight make no queue worth mentioning."""
        return self.latency_seconds < QUICK_SECONDS

    @property
    def mostly_failed(self) -> bool:
        """Half or more of at least four requests failed: an overloaded server also looks so."""
        answers = self.completed + self.throttled + self.failed
        return answers >= 4 and self.failed * 2 >= answers


class Window(NamedTuple):
    """How many requests may be in flight, and what is known about other numbers."""

    limit: int = START_LIMIT
    max_limit: int = MAX_LIMIT
    phase: Phase = Phase.CLIMB
    kept_limit: int = START_LIMIT  # the limit believed in; `limit` differs while trying
    kept_goodput: float = 0.0  # at kept_limit; 0.0: not measured yet
    best_goodput: float = 0.0  # the highest, fading
    missed: bool = False  # CLIMB: the last period brought too little
    holds: int = 1  # periods to hold before the next look
    held: int = 0  # periods held since the last look
    look: Phase = Phase.UP  # where to look next


def window_at(limit: int, *, max_limit: int = MAX_LIMIT) -> Window:
    """A window that begins at `limit`, put into 1..max_limit, and knows nothing yet."""
    limit = min(max(limit, 1), max_limit)
    return Window(limit=limit, max_limit=max_limit, kept_limit=limit)


def next_limit(window: Window, sample: Sample) -> Window:
    """The window for the next period. Its limit is always in 1..max_limit.

    One throttled period costs one back-off, however many requests it refused. A period that did not
    use its limit says nothing about it, and changes nothing.
    """
    if sample.throttled or sample.mostly_failed:
        return _backed_off(window, sample)
    if sample.completed == 0:
        return window
    if not sample.limit_used:
        if window.phase in (Phase.UP, Phase.DOWN):
            return _held(window)
        return window
    match window.phase:
        case Phase.CLIMB:
            return _climbed(window, sample)
        case Phase.HOLD:
            return _looked(_measured(window, sample), sample)
        case Phase.UP | Phase.DOWN:
            return _judged(window, sample)


def _backed_off(window: Window, sample: Sample) -> Window:
    # Where a rate is known, the rate holds the refusals down; a window cut below what that rate
    # needs (Little's law) would only starve it, and it may climb again at once.
    floor = min(max(sample.needed, 1), window.limit)
    limit = max(int(window.limit * BACK_OFF), floor)
    return window._replace(
        limit=limit,
        phase=Phase.CLIMB if sample.needed else Phase.HOLD,
        kept_limit=limit,
        kept_goodput=0.0,
        best_goodput=0.0,
        missed=False,
        holds=1,
        held=0,
        look=Phase.UP,
    )


def _climbed(window: Window, sample: Sample) -> Window:
    enough = window.kept_goodput * _gain(window.limit / window.kept_limit)
    if window.kept_goodput == 0.0 or sample.goodput >= enough:
        window = window._replace(
            kept_limit=window.limit,
            kept_goodput=sample.goodput,
            best_goodput=max(window.best_goodput, sample.goodput),
            missed=False,
        )
        if window.limit == window.max_limit:
            return _held(window)
        return window._replace(limit=min(window.limit * 2, window.max_limit))
    at_top = window.limit == window.max_limit
    floor = min(QUICK_LIMIT, window.max_limit) if sample.quick else 1
    if window.limit < floor:
        return window._replace(limit=min(window.limit * 2, floor))
    if window.missed or at_top or sample.seconds >= SHORT_SECONDS:
        kept = max(window.kept_limit, floor)
        if kept != window.kept_limit:
            window = window._replace(kept_limit=kept, kept_goodput=0.0)
        return _held(window._replace(look=Phase.DOWN))
    if sample.quick and window.limit >= QUICK_LIMIT:
        # A short period that made the connections for this limit says little of it: once more,
        # before as many again are made.
        return window._replace(missed=True)
    return window._replace(limit=min(window.limit * 2, window.max_limit), missed=True)


def _measured(window: Window, sample: Sample) -> Window:
    """The goodput at the kept limit, averaged with what it was before."""
    before = window.kept_goodput
    goodput = sample.goodput if before == 0.0 else (before + sample.goodput) / 2
    best = max(window.best_goodput * BEST_DECAY, goodput)
    return window._replace(kept_goodput=goodput, best_goodput=best, held=window.held + 1)


def _looked(window: Window, sample: Sample) -> Window:
    """Step aside when enough periods were held."""
    if window.held < window.holds:
        return window
    look = window.look
    if window.limit == 1 or (sample.quick and window.limit <= QUICK_LIMIT):
        look = Phase.UP
    elif window.limit == window.max_limit:
        look = Phase.DOWN
    stepped = _step(window.limit, look, window.max_limit)
    if stepped == window.limit:
        return window
    return window._replace(limit=stepped, phase=look, held=0, look=look)


def _judged(window: Window, sample: Sample) -> Window:
    """Keep the step aside, and take another in the same direction; or go back."""
    if window.phase is Phase.UP:
        keep = sample.goodput >= window.kept_goodput * _gain(window.limit / window.kept_limit)
    else:
        keep = sample.goodput >= KEEP_SHARE * max(window.best_goodput, window.kept_goodput)
    if not keep:
        other = Phase.DOWN if window.phase is Phase.UP else Phase.UP
        holds = min(window.holds * 2, MOST_HOLDS)
        return _held(window._replace(look=other, holds=holds))
    window = window._replace(
        kept_limit=window.limit,
        kept_goodput=sample.goodput,
        best_goodput=max(window.best_goodput * BEST_DECAY, sample.goodput),
        holds=1,
    )
    stepped = _step(window.limit, window.phase, window.max_limit)
    too_low = sample.quick and stepped < QUICK_LIMIT and window.phase is Phase.DOWN
    if stepped == window.limit or too_low:
        return _held(window)
    return window._replace(limit=stepped)


def _held(window: Window) -> Window:
    return window._replace(limit=window.kept_limit, phase=Phase.HOLD, missed=False, held=0)


def _gain(ratio: float) -> float:
    return float(ratio**GAIN_EXPONENT)


def _step(limit: int, look: Phase, max_limit: int) -> int:
    """A quarter up or a fifth down, at least one."""
    if look is Phase.UP:
        return min(max(limit + 1, math.ceil(limit * 1.25)), max_limit)
    return max(min(limit - 1, int(limit * 0.8)), 1)
