"""How many requests may be in flight, and when the next may start."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bulkup.pace.learned import Learned
from bulkup.pace.slow_start import FAR_SECONDS, MOST_LIMIT, SlowStart
from bulkup.pace.throttle import Throttle
from bulkup.pace.window import MAX_LIMIT, START_LIMIT, Phase, Sample, Window, next_limit, window_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from bulkup.clock import Clock

CLIMB_SECONDS = 0.02
"""The shortest period while climbing: 32 requests are in flight 40 ms after the first answers."""

HOLD_SECONDS = 0.25
"""The shortest period while holding: differences of 5 % must be visible through the noise."""

LONG_SECONDS = 2.0
"""A period this old ends after as many answers as the limit, instead of several times as many."""

PAUSE_LIMIT_SECONDS = 300.0
"""No Retry-After stops all requests for longer; the next request may well be answered."""

LONG_RETRY_AFTER_SECONDS = 5.0
"""A server that asks for more is down (maintenance, fail-over), and not asking for a lower rate."""

HEADROOM = 1.25
"""Requests in flight beyond rate x mean latency, since latencies vary."""

LATENCY_WEIGHT = 0.05
"""Of the newest request in the mean latency: it follows within some twenty requests."""


class Pacer:
    """Says how many requests may be in flight and when the next may start.

    A request may start when fewer than `limit` are in flight and `delay_seconds(now)` is 0.0; then
    call `started(now)`, and after the request exactly one of `finished`, `throttled`, `failed` and
    `cancelled`. A request is one HTTP try: one that waits before its next try is not in flight.
    Asking reserves nothing: ask again after waiting, and let one of many waiting tasks ask.

    `now` is `clock.monotonic()`. For one thread; no method waits or raises.

    Retry-After: the refused request itself waits that long (`with_tries`). All others wait too when
    the server refuses more than it accepts, or asks for more than 5 s. Otherwise a server that
    takes 200 requests a second and refuses the 201st with "Retry-After: 1" would stop everything
    and get half of the rate that it offers.
    """

    limit: int
    """Requests that may be in flight now."""

    in_flight: int
    """Requests started and not answered yet."""

    round_trip_seconds: float
    """The shortest request so far; inf before the first answer."""

    def __init__(
        self,
        clock: Clock,
        *,
        fixed_limit: int | None = None,
        ceiling: int = MOST_LIMIT,
        max_rate_per_second: float | None = None,
        learned: Learned | None = None,
        next_limit: Callable[[Window, Sample], Window] = next_limit,
        adapts_rate: bool = True,
    ) -> None:
        """`fixed_limit` is --concurrency N: then only the rate adapts. More than `ceiling` requests
        are never in flight. What was `learned` more than a day ago is ignored. The last two
        replace or switch off a controller, to measure it."""
        now = clock.monotonic()
        self._clock = clock
        self._next_limit = next_limit
        self._is_fixed = fixed_limit is not None
        learned = learned if learned and learned.is_fresh(clock.now()) else None
        start = START_LIMIT if learned is None else learned.limit
        most = max(MAX_LIMIT, start)
        self._ceiling = ceiling
        self._window = window_at(fixed_limit or start, max_limit=min(fixed_limit or most, ceiling))
        self.limit = self._window.limit
        self._slow_start: SlowStart | None = None
        if not self._is_fixed and (learned is None or learned.rate_per_second is None):
            self._slow_start = SlowStart(self.limit)
        self.in_flight = 0
        self._started_at = now  # when there was none in flight before
        self._latency = 0.0
        self.round_trip_seconds = math.inf
        self._paused_until = now
        self._throttle = Throttle(
            now,
            max_rate_per_second=max_rate_per_second,
            learned_rate=None if learned is None else learned.rate_per_second,
            adapts=adapts_rate,
        )
        self._stale = 0  # in flight since before the last cut
        self._begin_period(now)

    @property
    def is_far(self) -> bool:
        """Whether a round trip takes so long that more bytes than usual have to be in flight."""
        return FAR_SECONDS <= self.round_trip_seconds < math.inf

    @property
    def least_round_trip_seconds(self) -> float:
        """The shortest request so far; before the first answer half of how long it has been waited
        for, since the first request also opens its connection."""
        if self.round_trip_seconds < math.inf:
            return self.round_trip_seconds
        return (self._clock.monotonic() - self._started_at) / 2 if self.in_flight else 0.0

    @property
    def ahead(self) -> int:
        """How many requests more than now may soon be in flight, towards a far server that is still
        new: as many connections are of use."""
        return 0 if self._slow_start is None else self._slow_start.ahead

    @property
    def rate_per_second(self) -> float | None:
        """The cap on starts a second; None: there is none."""
        return self._throttle.rate_per_second

    def learned(self) -> Learned:
        """What the next run should begin with."""
        return Learned(self._window.kept_limit, self._throttle.known_good, self._clock.now())

    def delay_seconds(self, now: float) -> float:
        """0.0 when a request may start now, else how long to wait before asking again."""
        if now < self._paused_until:
            return self._paused_until - now
        return self._throttle.delay_seconds(now)

    def started(self, now: float) -> None:
        """A request starts."""
        self.in_flight = in_flight = self.in_flight + 1
        self._starts += 1
        if in_flight == 1:
            self._started_at = now
        if in_flight >= self.limit:
            self._full_starts += 1
        self._throttle.started(now, self._latency)

    def finished(self, now: float, size_bytes: int, seconds: float) -> None:
        """A request that took `seconds` was answered: with success, or with a refusal that is not
        about the number of requests. `size_bytes` is the size of its body."""
        self.in_flight -= 1
        if seconds < self.round_trip_seconds:
            is_first = self.round_trip_seconds == math.inf  # it also opened its connection
            self.round_trip_seconds = seconds / 2 if is_first else seconds
        if self._latency == 0.0:
            self._latency = seconds
        self._latency += (seconds - self._latency) * LATENCY_WEIGHT
        if self._stale:
            self._count_off(now)
            return
        self._throttle.accepted += 1
        if self._slow_start is not None:
            self._open(now, size_bytes, seconds)
            return
        if self._old:
            self._count_off(now)
            return
        self._completed += 1
        self._bytes += size_bytes
        self._answers += 1
        if self._answers >= self._close_at:
            self._close_period(now)

    def throttled(self, now: float, retry_after_seconds: float | None) -> None:
        """A request was refused because there are too many (429, 503 SlowDown)."""
        self.in_flight -= 1
        self._end_slow_start(now)
        if retry_after_seconds is not None:
            self._pause(now, retry_after_seconds)
        if self._stale:
            self._count_off(now)
            return
        self._throttle.refused += 1
        if self._old:
            self._count_off(now)
        else:
            self._throttled += 1
            self._answers += 1
        if self._throttle.cut(now, self.in_flight):
            if not self._is_fixed:
                self._set_window(now, throttled=max(self._throttled, 1))
            self._begin_period(now)
            self._restart_throttle(now)
            self._stale = self.in_flight

    def failed(self, now: float) -> None:
        """A request got no answer, or the server failed."""
        self.in_flight -= 1
        self._end_slow_start(now)
        if self._stale or self._old:
            self._count_off(now)
            return
        self._failed += 1
        self._answers += 1
        if self._answers >= self._close_at:
            self._close_period(now)

    def cancelled(self, now: float) -> None:
        """A request was given up here, which says nothing about the server."""
        self.in_flight -= 1
        if max(self._stale, self._old) > self.in_flight:
            self._count_off(now)

    def _open(self, now: float, size_bytes: int, seconds: float) -> None:
        """One more answer of the slow start."""
        assert self._slow_start is not None
        opened = self._slow_start.answered(size_bytes, seconds, self.in_flight + 1)
        if opened is None:
            self._end_slow_start(now)
            return
        self._slow_start = opened
        most = min(opened.most, self._ceiling)
        self.limit = min(opened.limit, most)
        if self.limit == most:
            self._end_slow_start(now)

    def _end_slow_start(self, now: float) -> None:
        """From here on periods decide: the window climbs on while goodput grows."""
        if self._slow_start is not None:
            most = min(self._slow_start.most, self._ceiling)
            self._window = window_at(self.limit, max_limit=most)
            self._slow_start = None
            self._begin_period(now)

    def _pause(self, now: float, retry_after_seconds: float) -> None:
        is_long = retry_after_seconds > LONG_RETRY_AFTER_SECONDS
        if is_long or (not self._stale and self._throttle.refuses_most(self.in_flight)):
            until = now + min(retry_after_seconds, PAUSE_LIMIT_SECONDS)
            self._paused_until = max(self._paused_until, until)

    def _begin_period(self, now: float) -> None:
        """Requests in flight were started under the old limit: their answers do not count."""
        self._old = self.in_flight  # since before the current period
        self._period_began = now
        self._starts = self._full_starts = 0
        self._completed = self._bytes = self._throttled = self._failed = self._answers = 0
        self._close_at = self.limit

    def _restart_throttle(self, now: float) -> None:
        self._throttle.restart(max(now, self._paused_until), self._latency)

    def _count_off(self, now: float) -> None:
        """An answer to a request from before the current period, or from before the last cut."""
        if self._old:
            self._old -= 1
            if self._old == 0:
                self._period_began = now
        if self._stale:
            self._stale -= 1
            if self._stale == 0:
                self._restart_throttle(now)

    def _close_period(self, now: float) -> None:
        """End the period if it has seen enough: several times as many answers as the limit, or as
        many where requests are long."""
        seconds = now - self._period_began
        is_climbing = self._window.phase is Phase.CLIMB
        turns, shortest = (2, CLIMB_SECONDS) if is_climbing else (4, HOLD_SECONDS)
        is_enough = self._answers >= turns * self.limit or seconds >= LONG_SECONDS
        if seconds < shortest or not is_enough:
            self._close_at = self._answers + max(self._answers // 4, 1)
            return
        if not self._is_fixed:
            # Refusals too few to cut the rate are no reason for a smaller window either.
            self._set_window(now, throttled=0)
        self._begin_period(now)

    def _set_window(self, now: float, *, throttled: int) -> None:
        known_good = self._throttle.known_good
        needed = 0
        if known_good is not None and self._latency > 0.0:
            needed = math.ceil(known_good * self._latency * HEADROOM) + 1
        sample = Sample(
            seconds=now - self._period_began,
            completed=self._completed,
            bytes_sent=self._bytes,
            throttled=throttled,
            failed=self._failed,
            limit=self.limit,
            needed=needed,
            latency_seconds=self._latency,
            limit_used=self._full_starts * 2 > self._starts,
        )
        self._window = self._next_limit(self._window, sample)
        self.limit = self._window.limit
