"""The rate at which requests may start: measured against a server's refusals."""

from __future__ import annotations

from bulkup.pace import rate_limit
from bulkup.pace.token_bucket import TokenBucket

TICK_SECONDS = 0.1
LONGEST_TICK_SECONDS = 2.0
"""The rate may grow each second round trip, within these bounds: a large body is no round trip."""

CLEAN_ANSWERS = 2
"""Answers without a refusal that a step of the search needs."""

ROTATE_SECONDS = 0.5
ROTATE_ANSWERS = 50
"""The accepted rate is measured over at least this much; twice that at most."""


class Throttle:
    """A cap on the requests that start each second. There is none before the first refusal, unless
    the user sets one or an earlier run learned one.

    After each answer one of `accepted` and `refused` is increased. Answers to requests that were
    started before the last `restart` must not be counted.
    """

    accepted: int
    refused: int

    def __init__(
        self,
        now: float,
        *,
        max_rate_per_second: float | None,
        learned_rate: float | None,
        adapts: bool,
    ) -> None:
        """Without `adapts` only `max_rate_per_second` counts."""
        self._max_rate = max_rate_per_second
        self._adapts = adapts
        self._rate: rate_limit.RateLimit | None = None
        if adapts and learned_rate is not None:
            self._rate = rate_limit.known_limit(learned_rate)
        self._bucket: TokenBucket | None = None
        self._has_delayed = False
        self._set_bucket(now)
        self.restart(now, 0.0)

    @property
    def rate_per_second(self) -> float | None:
        """The cap; None: there is none."""
        return None if self._bucket is None else self._bucket.rate_per_second

    @property
    def known_good(self) -> float | None:
        """The rate that the server is known to accept; None: it never refused."""
        return None if self._rate is None else self._rate.known_good

    def delay_seconds(self, now: float) -> float:
        """0.0 when a request may start now, else how long to wait before asking again."""
        if self._bucket is None:
            return 0.0
        wait = self._bucket.wait_seconds(now)
        if wait > 0.0:
            self._has_delayed = True
        return wait

    def started(self, now: float, latency_seconds: float) -> None:
        """A request starts; requests take `latency_seconds` on average."""
        if self._bucket is not None:
            self._bucket.take(now)
            if now >= self._tick_at:
                self._tick(now, latency_seconds)

    def refuses_most(self, in_flight: int) -> bool:
        """Whether another refusal makes more than half, even if all `in_flight` are accepted."""
        return self.refused + 1 > self.accepted + self._accepted_before + in_flight

    def cut(self, now: float, in_flight: int) -> bool:
        """After a refusal: lower the cap if it is one too many; whether that is so."""
        measured = rate_limit.Measured(
            seconds=max(now - self._began_before, 0.0),
            accepted=self.accepted + self._accepted_before,
            refused=self.refused + self._refused_before,
        )
        if not self._adapts:
            return measured.too_many_refused
        if self._rate is None:
            # Refusals overtake the answers to accepted requests: those in flight count as accepted
            accepted = measured.accepted + in_flight
            self._rate = rate_limit.first_limit(measured._replace(accepted=accepted))
        elif measured.too_many_refused:
            self._rate = rate_limit.cut(self._rate, measured)
        else:
            return False
        self._set_bucket(now)
        if self._bucket is not None:
            self._bucket.drain(now)
        return True

    def restart(self, began: float, latency_seconds: float) -> None:
        """Restart the measurement, from `began` on."""
        self._began = self._began_before = began
        self.accepted = self._accepted_before = 0
        self.refused = self._refused_before = 0
        self._tick_answers = self._tick_refused = 0
        self._ticked_at = began
        self._tick_at = began + _tick_seconds(latency_seconds)

    def _tick(self, now: float, latency_seconds: float) -> None:
        """Let the rate grow if it delayed requests; forget old measurements."""
        self._tick_at = now + _tick_seconds(latency_seconds)
        answers = self.accepted + self.refused
        grew = False
        if self._rate is not None and self._has_delayed:
            fresh = answers - self._tick_answers
            clean = self.refused == self._tick_refused
            if self._rate.searching and clean and fresh < CLEAN_ANSWERS:
                return
            grew = self._rate.searching and clean
            self._rate = rate_limit.grown(self._rate, now - self._ticked_at, clean=clean)
            self._set_bucket(now)
        if grew or (now - self._began >= ROTATE_SECONDS and answers >= ROTATE_ANSWERS):
            self._began_before, self._began = self._began, now
            self._accepted_before, self.accepted = self.accepted, 0
            self._refused_before, self.refused = self.refused, 0
        self._tick_answers = self.accepted + self.refused
        self._tick_refused = self.refused
        self._ticked_at = now
        self._has_delayed = False

    def _set_bucket(self, now: float) -> None:
        """One bucket for the server's cap and the user's (--max-rate)."""
        allowed = self._max_rate
        if self._rate is not None:
            capped = self._rate.per_second
            allowed = capped if allowed is None else min(capped, allowed)
        if allowed is None:
            return
        # A timer wakes up to 2 ms late, and what was missed may be made up for. A larger burst
        # would be refused by a server that counts requests.
        burst = max(min(1 + 0.005 * allowed, 4.0), 0.002 * allowed)
        if self._bucket is None:
            self._bucket = TokenBucket(allowed, burst, now=now)
        else:
            self._bucket.change(now, allowed, burst)


def _tick_seconds(latency_seconds: float) -> float:
    return min(max(TICK_SECONDS, 2 * latency_seconds), LONGEST_TICK_SECONDS)
