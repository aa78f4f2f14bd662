"""The small thing that the crew asks before each request and tells after each answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from bulkup.pace import rate_limit as rate
from bulkup.pace.token_bucket import TokenBucket
from bulkup.pace.window import MAX_LIMIT, START_LIMIT, Phase, Sample, next_limit, window_at

if TYPE_CHECKING:
    from bulkup.clock import Clock

CLIMB_SECONDS = 0.02
"""The shortest period while climbing: 32 requests are in flight 40 ms after the first answers."""

HOLD_SECONDS = 0.25
"""The shortest period while holding: a difference of 5 % is to be seen through the noise."""

LONG_SECONDS = 2.0
"""A period this old is closed after one turn (as many answers as the limit) instead of several."""

TICK_SECONDS = 0.1
LONGEST_TICK_SECONDS = 2.0
"""The rate grows each second round trip, but within these bounds: a large body is no round trip."""

CLEAN_ANSWERS = 2
"""Answers without a refusal that a step of the search needs."""

ROTATE_SECONDS = 0.5
ROTATE_ANSWERS = 50
"""What the measure of the accepted rate reaches back to, at least; twice that at most."""

PAUSE_LIMIT_SECONDS = 300.0
"""No Retry-After stops everything for longer; the next request may well be answered."""

LONG_RETRY_AFTER_SECONDS = 5.0
"""A server that asks for more speaks of itself (maintenance, fail-over), not of our rate."""

LEARNED_FOR_SECONDS = 24 * 3600.0
"""What is older than a day was perhaps learned on another network."""

HEADROOM = 1.25
"""Requests in flight beyond rate x mean latency, since latencies vary."""

LATENCY_WEIGHT = 0.05
"""Of the newest request in the mean latency: it follows within some twenty requests."""


class Learned(NamedTuple):
    """What a run found out about a destination, kept in the manifest for the next one."""

    limit: int
    rate_per_second: float | None  # None: never throttled
    measured_at: float  # seconds since 1970-01-01 UTC


class Pacer:
    """Says how many requests may be in flight and when the next may start.

    Before a request: it may start when fewer than `limit` are in flight and `delay_seconds(now)`
    is 0.0; then `started(now)`. After it exactly one of `finished`, `throttled`, `failed` and
    `cancelled`. A request is one HTTP try: one that waits to be tried again is not in flight.
    Nothing is reserved by asking, so whoever waited asks again, and of many waiting tasks only one
    should ask.

    `now` is `clock.monotonic()` throughout. For one thread; no method waits or raises.

    Retry-After: the refused request itself waits that long (`with_tries`). Everything else waits
    too when the server refuses more than it accepts, or asks for more than 5 s; a server that takes
    200 requests a second and refuses the 201st with "Retry-After: 1" means that request, and if all
    stopped, it would get half of what it offers.
    """

    limit: int
    """Requests that may be in flight now."""

    in_flight: int
    """Requests started and not answered yet."""

    def __init__(
        self,
        clock: Clock,
        *,
        fixed_limit: int | None = None,
        max_limit: int = MAX_LIMIT,
        max_rate_per_second: float | None = None,
        learned: Learned | None = None,
    ) -> None:
        """`fixed_limit` is --concurrency N: the window stays; the rate still gives way.

        What was `learned` more than a day ago is not believed.
        """
        now = clock.monotonic()
        self._clock = clock
        self._fixed = fixed_limit is not None
        self._max_rate = max_rate_per_second
        self._rate: rate.RateLimit | None = None
        if learned is not None and not 0 <= clock.now() - learned.measured_at < LEARNED_FOR_SECONDS:
            learned = None
        start = START_LIMIT if learned is None else learned.limit
        if fixed_limit is not None:
            start = max_limit = fixed_limit
        self._window = window_at(start, max_limit=max_limit)
        if learned is not None and learned.rate_per_second is not None:
            self._rate = rate.known_limit(learned.rate_per_second)
        self.limit = self._window.limit
        self.in_flight = 0
        self._latency = 0.0
        self._paused_until = now
        self._bucket: TokenBucket | None = None
        self._set_bucket(now)
        self._echo = self._stale = 0
        self._rate_bound = False
        self._tick_at = self._ticked_at = now
        self._begin_period(now)
        self._begin_measure(now)

    @property
    def rate_per_second(self) -> float | None:
        """The cap on starts a second; None: there is none."""
        return None if self._bucket is None else self._bucket.rate_per_second

    def learned(self) -> Learned:
        """What the next run should begin with."""
        known_rate = None if self._rate is None else self._rate.known_good
        return Learned(self._window.kept_limit, known_rate, self._clock.now())

    def delay_seconds(self, now: float) -> float:
        """0.0 when a request may start now, else how long to wait before asking again."""
        if now < self._paused_until:
            return self._paused_until - now
        if self._bucket is None:
            return 0.0
        wait = self._bucket.wait_seconds(now)
        if wait > 0.0:
            self._rate_bound = True
        return wait

    def started(self, now: float) -> None:
        """A request goes out."""
        self.in_flight = in_flight = self.in_flight + 1
        self._starts += 1
        if in_flight >= self.limit:
            self._full_starts += 1
        if self._bucket is not None:
            self._bucket.take(now)
            if now >= self._tick_at:
                self._tick(now)

    def finished(self, now: float, size_bytes: int, seconds: float) -> None:
        """A request that took `seconds` was answered, with success or a refusal of its own making.

        `size_bytes` is the size of its body.
        """
        self.in_flight -= 1
        if self._latency == 0.0:
            self._latency = seconds
        self._latency += (seconds - self._latency) * LATENCY_WEIGHT
        if self._stale:
            self._fade_stale(now)
            return
        self._accepted += 1
        if self._echo:
            self._fade_echo(now)
            return
        self._completed += 1
        self._bytes += size_bytes
        self._answers += 1
        if self._answers >= self._close_at:
            self._close_period(now)

    def throttled(self, now: float, retry_after_seconds: float | None) -> None:
        """A request was refused for being one too many (429, 503 SlowDown)."""
        self.in_flight -= 1
        if retry_after_seconds is not None:
            self._heed(now, retry_after_seconds)
        if self._stale:
            self._fade_stale(now)
            return
        self._refused += 1
        if self._echo:
            self._fade_echo(now)
        else:
            self._throttled += 1
            self._answers += 1
        measured = self._measured(now)
        if self._rate is None:
            # Refusals overtake the answers to what was accepted: what is in flight counts as that.
            accepted = measured.accepted + self.in_flight
            self._rate = rate.first_limit(measured._replace(accepted=accepted))
        elif measured.too_many_refused:
            self._rate = rate.cut(self._rate, measured)
        else:
            return
        self._give_way(now)

    def failed(self, now: float) -> None:
        """A request got no answer, or the server failed on its side."""
        self.in_flight -= 1
        if self._stale:
            self._fade_stale(now)
            return
        if self._echo:
            self._fade_echo(now)
            return
        self._failed += 1
        self._answers += 1
        if self._answers >= self._close_at:
            self._close_period(now)

    def cancelled(self, now: float) -> None:
        """A request was given up by whoever made it: nobody learns anything from it."""
        self.in_flight -= 1
        if self._stale > self.in_flight:
            self._fade_stale(now)
        elif self._echo > self.in_flight:
            self._fade_echo(now)

    def _heed(self, now: float, retry_after_seconds: float) -> None:
        accepted = self._accepted + self._accepted_before + self.in_flight  # at best
        mostly_refused = self._refused + 1 > accepted
        asked_long = retry_after_seconds > LONG_RETRY_AFTER_SECONDS
        if asked_long or (mostly_refused and not self._stale):
            until = now + min(retry_after_seconds, PAUSE_LIMIT_SECONDS)
            self._paused_until = max(self._paused_until, until)

    def _give_way(self, now: float) -> None:
        """After a throttle: a new rate already stands, now the window, once."""
        self._set_bucket(now)
        assert self._bucket is not None
        self._bucket.drain(now)
        if not self._fixed:
            throttled = max(self._throttled, 1)
            self._window = next_limit(self._window, self._sample(now, throttled=throttled))
            self.limit = self._window.limit
        self._begin_period(now)
        self._begin_measure(now)
        self._stale = self.in_flight

    def _begin_period(self, now: float) -> None:
        """What is in flight was started under the old limit: its answers are an echo of that."""
        self._echo = self.in_flight
        self._period_began = now
        self._starts = self._full_starts = 0
        self._completed = self._bytes = self._throttled = self._failed = self._answers = 0
        self._close_at = self.limit

    def _begin_measure(self, now: float) -> None:
        began = max(now, self._paused_until)
        self._rate_began = self._rate_began_before = began
        self._accepted = self._accepted_before = 0
        self._refused = self._refused_before = 0
        self._tick_answers = self._tick_refused = 0
        self._ticked_at = began
        self._tick_at = began + self._tick_seconds()

    def _fade_echo(self, now: float) -> None:
        self._echo -= 1
        if self._echo == 0:
            self._period_began = now

    def _fade_stale(self, now: float) -> None:
        """An answer to a request from before the last cut: it says nothing about the new rate."""
        if self._echo:
            self._fade_echo(now)
        self._stale -= 1
        if self._stale == 0:
            self._begin_measure(now)

    def _close_period(self, now: float) -> None:
        """End the period if it has seen enough: several turns, or one where requests are long."""
        seconds = now - self._period_began
        climbing = self._window.phase is Phase.CLIMB
        rounds, shortest = (2, CLIMB_SECONDS) if climbing else (4, HOLD_SECONDS)
        enough = self._answers >= rounds * self.limit or seconds >= LONG_SECONDS
        if seconds < shortest or not enough:
            self._close_at = self._answers + max(self._answers // 4, 1)
            return
        if not self._fixed:
            # The few refusals that did not make the rate give way are no reason here either.
            self._window = next_limit(self._window, self._sample(now, throttled=0))
            self.limit = self._window.limit
        self._begin_period(now)

    def _sample(self, now: float, *, throttled: int) -> Sample:
        needed = 0
        if self._rate is not None and self._latency > 0.0:
            needed = math.ceil(self._rate.known_good * self._latency * HEADROOM) + 1
        return Sample(
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

    def _measured(self, now: float) -> rate.Measured:
        return rate.Measured(
            seconds=max(now - self._rate_began_before, 0.0),
            accepted=self._accepted + self._accepted_before,
            refused=self._refused + self._refused_before,
        )

    def _tick(self, now: float) -> None:
        """Let the rate grow if it kept requests waiting, and the measure forget what is old."""
        self._tick_at = now + self._tick_seconds()
        answers = self._accepted + self._refused
        grew = False
        if self._rate is not None and self._rate_bound:
            fresh = answers - self._tick_answers
            clean = self._refused == self._tick_refused
            if self._rate.searching and clean and fresh < CLEAN_ANSWERS:
                return
            grew = self._rate.searching and clean
            self._rate = rate.grown(self._rate, now - self._ticked_at, clean=clean)
            self._set_bucket(now)
        if grew or (now - self._rate_began >= ROTATE_SECONDS and answers >= ROTATE_ANSWERS):
            self._rate_began_before = self._rate_began
            self._accepted_before, self._refused_before = self._accepted, self._refused
            self._rate_began = now
            self._accepted = self._refused = 0
        self._tick_answers = self._accepted + self._refused
        self._tick_refused = self._refused
        self._ticked_at = now
        self._rate_bound = False

    def _tick_seconds(self) -> float:
        return min(max(TICK_SECONDS, 2 * self._latency), LONGEST_TICK_SECONDS)

    def _set_bucket(self, now: float) -> None:
        """One bucket for what the server takes and what the user allows (--max-rate)."""
        allowed = self._max_rate
        if self._rate is not None:
            capped = self._rate.per_second
            allowed = capped if allowed is None else min(capped, allowed)
        if allowed is None:
            return
        # Timers wake up to 2 ms late; what was missed then may be made up for, and no more: a
        # server that counts requests also counts bursts.
        burst = max(min(1 + 0.005 * allowed, 4.0), 0.002 * allowed)
        if self._bucket is None:
            self._bucket = TokenBucket(allowed, burst, now=now)
        else:
            self._bucket.change(now, allowed, burst)
