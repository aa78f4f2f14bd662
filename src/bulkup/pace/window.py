"""How many requests may be in flight: decided from the goodput of the last period. Pure.

The window climbs like TCP's slow start, doubling while goodput grows with it. Then it holds its
limit, and from time to time tries a step up or down. A home uplink is full with two or three
requests in flight, a distant region needs hundreds: goodput is the signal, a refusal the brake.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

START_LIMIT = 8
"""Enough for a quick start, few enough for any server."""

MAX_LIMIT = 256
"""As many as s5cmd and azcopy use; more would only queue, in the kernel or in the server."""

BACK_OFF = 0.7
"""What remains of the window after a throttle: CUBIC's beta (RFC 9438), also botocore's."""

GAIN_EXPONENT = 0.15
"""A step up is kept when goodput grows at least like limit ** 0.15: 11 % for a doubling. On a full
link it does not grow at all, so that a low bar is enough; a server may scale badly."""

KEEP_SHARE = 0.95
"""A step down is kept when this share of the best goodput remains: more requests in flight would
only queue."""

BEST_DECAY = 0.98
"""The best goodput is reduced to this share each period: a link may become slower."""

MOST_HOLDS = 16
"""Periods between two trials when several have failed: a trial of a step down costs goodput."""

SHORT_SECONDS = 1.0
"""A shorter period may have been unlucky, and is cheap to repeat."""

QUICK_LIMIT = 32
QUICK_SECONDS = 0.05
"""While requests take less than 50 ms, limits up to 32 are not lowered: differences in goodput are
then noise of this machine, and there is no queue in the network to keep short."""

REQUEST_COST_BYTES = 64 * 1024
"""The overhead of a request, in bytes. So the goodput of far smaller files is objects a second,
of far larger ones bytes a second."""


class Phase(StrEnum):
    """What the window is doing."""

    CLIMB = "climb"  # doubling
    HOLD = "hold"  # at the limit it believes in
    UP = "up"  # one step above it
    DOWN = "down"  # one step below it


class Sample(NamedTuple):
    """The measurements of one period. Requests are counted when they are answered."""

    seconds: float
    completed: int  # answered, and not refused as one too many
    bytes_sent: int  # in the bodies of those
    throttled: int  # refused as one too many
    failed: int  # no answer, or an error of the server
    limit: int  # the limit it ran at
    needed: int  # in flight at the rate that the server accepts; 0: unknown
    latency_seconds: float  # of a request, on average
    limit_used: bool  # the limit, and not the scan, the disk or a rate, held requests back

    @property
    def goodput(self) -> float:
        """Bytes a second, with REQUEST_COST_BYTES for each request."""
        work = self.bytes_sent + self.completed * REQUEST_COST_BYTES
        return work / max(self.seconds, 1e-6)

    @property
    def quick(self) -> bool:
        """Whether the server is so near that more requests in flight make no long queue."""
        return self.latency_seconds < QUICK_SECONDS

    @property
    def mostly_failed(self) -> bool:
        """Whether half or more of at least four requests failed, as with an overloaded server."""
        answers = self.completed + self.throttled + self.failed
        return answers >= 4 and self.failed * 2 >= answers


class Window(NamedTuple):
    """How many requests may be in flight, and what was measured at other limits."""

    limit: int = START_LIMIT
    max_limit: int = MAX_LIMIT
    phase: Phase = Phase.CLIMB
    kept_limit: int = START_LIMIT  # the best limit so far; `limit` differs during a trial
    kept_goodput: float = 0.0  # at kept_limit; 0.0: not measured yet
    best_goodput: float = 0.0  # the highest, reduced each period
    missed: bool = False  # CLIMB: goodput grew too little in the last period
    holds: int = 1  # periods to hold before the next trial
    held: int = 0  # periods held since the last trial
    trial: Phase = Phase.UP  # the next step to try


def window_at(limit: int, *, max_limit: int = MAX_LIMIT) -> Window:
    """A window that begins at `limit`, clamped to 1..max_limit, without measurements."""
    limit = min(max(limit, 1), max_limit)
    return Window(limit=limit, max_limit=max_limit, kept_limit=limit)


def next_limit(window: Window, sample: Sample) -> Window:
    """The window for the next period. Its limit is always in 1..max_limit.

    A throttled period costs one back-off, however many requests were refused. A period that did not
    use its limit changes nothing.
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
            return _tried(_measured(window, sample), sample)
        case Phase.UP | Phase.DOWN:
            return _judged(window, sample)


def _backed_off(window: Window, sample: Sample) -> Window:
    # A known rate keeps refusals rare by itself: a window smaller than that rate needs (Little's
    # law) would only slow it down, and may grow again at once.
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
        trial=Phase.UP,
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
        return _held(window._replace(trial=Phase.DOWN))
    if sample.quick and window.limit >= QUICK_LIMIT:
        # A short period that was also spent on new connections shows little: measure once more
        # before twice as many are opened.
        return window._replace(missed=True)
    return window._replace(limit=min(window.limit * 2, window.max_limit), missed=True)


def _measured(window: Window, sample: Sample) -> Window:
    """Average the goodput at the kept limit with that of earlier periods."""
    before = window.kept_goodput
    goodput = sample.goodput if before == 0.0 else (before + sample.goodput) / 2
    best = max(window.best_goodput * BEST_DECAY, goodput)
    return window._replace(kept_goodput=goodput, best_goodput=best, held=window.held + 1)


def _tried(window: Window, sample: Sample) -> Window:
    """Try a step when enough periods were held."""
    if window.held < window.holds:
        return window
    trial = window.trial
    if window.limit == 1 or (sample.quick and window.limit <= QUICK_LIMIT):
        trial = Phase.UP
    elif window.limit == window.max_limit:
        trial = Phase.DOWN
    stepped = _step(window.limit, trial, window.max_limit)
    if stepped == window.limit:
        return window
    return window._replace(limit=stepped, phase=trial, held=0, trial=trial)


def _judged(window: Window, sample: Sample) -> Window:
    """Keep the step and try another in the same direction, or go back."""
    if window.phase is Phase.UP:
        keep = sample.goodput >= window.kept_goodput * _gain(window.limit / window.kept_limit)
    else:
        keep = sample.goodput >= KEEP_SHARE * max(window.best_goodput, window.kept_goodput)
    if not keep:
        other = Phase.DOWN if window.phase is Phase.UP else Phase.UP
        holds = min(window.holds * 2, MOST_HOLDS)
        return _held(window._replace(trial=other, holds=holds))
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


def _step(limit: int, trial: Phase, max_limit: int) -> int:
    """A quarter up or a fifth down, at least one."""
    if trial is Phase.UP:
        return min(max(limit + 1, math.ceil(limit * 1.25)), max_limit)
    return max(min(limit - 1, int(limit * 0.8)), 1)
