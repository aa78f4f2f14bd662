"""How the window opens towards a far server, before anything is known of it: like the slow start of
TCP (RFC 5681, section 3.1), with the exit by delay of HyStart (RFC 9406). Pure.

The window's own climb needs two or three round trips for each doubling. At 100 ms that is a second
and more until some hundred requests are in flight, as long as thousands of small files take then.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from bulkup.pace.window import MAX_LIMIT

FAR_SECONDS = 0.015
"""A shorter round trip is no reason to hurry: the window's own climb takes some of them."""

FARTHEST_SECONDS = 1.0
"""A longer one is a server that is busy, or a line that is full."""

FIRST_ANSWERS = 8
"""So many bodies are answered before more is tried: on a slow line they share it and take longer
than a round trip, and a server with a low rate refuses some of them."""

FIRST_REQUESTS = 32
FIRST_REQUESTS_PER_SECOND = 1280.0
"""What is tried then: 160 in flight at 100 ms, 70 at 30 ms."""

MOST_REQUESTS_PER_SECOND = 14_000.0
"""About as many as one process sends: 420 in flight at 30 ms. With 10,000 the process waited for
answers: 5,000 small files at 30 ms took 0.98 s instead of 0.86; with 20,000 it is no faster."""

MOST_LIMIT = 1024
"""A connection costs memory here and at the server, and common limits of open files are near."""

FIRST_SLOWER = 4.0
SLOWER = 2.5
SLOWER_SECONDS = 0.01
"""A request that takes longer than so many round trips and so much more has waited in a queue. At
first it may be the connection that takes two or three of them, with TLS."""

SLOW_ANSWERS = 8
"""So many slow answers in a row end the slow start; a single one may be chance."""

FULL_SHARE = 0.5
"""The limit grows only while so much of it is used."""


class SlowStart(NamedTuple):
    """The state between two answers. Each answer gives the next one, or None: it is over."""

    limit: int
    round_trip: float = inf  # the shortest request; at first one without a body
    answers: int = 0  # quick ones to bodies
    slow: int = 0  # slow answers in a row

    def answered(self, size_bytes: int, seconds: float, in_flight: int) -> SlowStart | None:
        """After a request with a body of `size_bytes` was answered; `in_flight` includes it."""
        if size_bytes == 0:
            return self._replace(round_trip=min(self.round_trip, seconds))
        if not FAR_SECONDS <= self.round_trip <= FARTHEST_SECONDS:
            return None
        round_trip = min(self.round_trip, seconds)
        is_first = self.answers < FIRST_ANSWERS
        if seconds > round_trip * (FIRST_SLOWER if is_first else SLOWER) + SLOWER_SECONDS:
            is_over = is_first or self.slow + 1 == SLOW_ANSWERS
            return None if is_over else self._replace(slow=self.slow + 1)
        answers, limit = self.answers + 1, self.limit
        if answers >= FIRST_ANSWERS and in_flight >= limit * FULL_SHARE:
            limit = max(limit + 1, _first(round_trip))
        return SlowStart(min(limit, self.most), round_trip, answers)

    @property
    def most(self) -> int:
        """The most requests in flight that are worth trying at this distance."""
        if self.round_trip == inf:
            return MAX_LIMIT
        return min(max(int(self.round_trip * MOST_REQUESTS_PER_SECOND), MAX_LIMIT), MOST_LIMIT)

    @property
    def ahead(self) -> int:
        """How many more than `limit` may be in flight a round trip from now; 0 near by."""
        if not FAR_SECONDS <= self.round_trip <= FARTHEST_SECONDS:
            return 0
        # The first request, which made its connection, took two round trips or more.
        soon = _first(self.round_trip / 2) if self.answers == 0 else 2 * self.limit
        return max(0, min(soon, self.most) - self.limit)


def _first(round_trip: float) -> int:
    """The limit after the first quick answers."""
    return FIRST_REQUESTS + int(round_trip * FIRST_REQUESTS_PER_SECOND)
