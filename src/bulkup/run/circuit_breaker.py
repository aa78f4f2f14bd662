"""The circuit breaker: trouble of the whole destination pauses the run and fails no file.

Closed, open while it asks the destination now and then, and closed again, or given up: then the
destination's error is raised.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, repeat
from typing import Protocol

from bulkup.clock import Clock
from bulkup.errors import (
    BulkupError,
    CredentialsExpired,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    ItemError,
    StoreForbidden,
    StoreFull,
    StoreUnreachable,
)
from bulkup.events import Emit, Paused
from bulkup.run.stop_signal import StopSignal

AUTH_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 10.0)
"""After expired keys: a program renews them within seconds, or a person has to."""

NETWORK_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""A line that is down is asked for so often, and then each time after the last of these waits, for
as long as --wait-online says."""

WAIT_ONLINE_SECONDS = 900.0
"""How long a line may be down, unless --wait-online says otherwise."""

OTHER_WAITS_SECONDS = (1.0, 2.0, 4.0)
"""After any other trouble of the destination."""

SILENCE_SECONDS = 1.0
"""Without a success, and with a file's tries used up: the tries alone take seven on average. If it
was that file's own trouble after all, the check succeeds and the run continues a second later."""

MOST_REFUSALS = 10
"""Items refused in a row without a success: a permission was withdrawn. Fewer may be each
item's own."""

MOST_FAILED_RECOVERIES = 3
"""So many times may the check succeed and the next request fail all the same."""


class HoldsRefused(Protocol):
    """Where items wait until it is known whose trouble their refusals are."""

    @property
    def refused(self) -> int: ...

    def end_refused(self) -> None: ...

    async def release_refused(self) -> None: ...


class CircuitBreaker:
    """Whether the destination as a whole works. For one event loop."""

    def __init__(
        self,
        check: Callable[[], Awaitable[None]],
        clock: Clock,
        emit: Emit,
        stop: StopSignal,
        *,
        destination: str = "the destination",
        wait_online_seconds: float = WAIT_ONLINE_SECONDS,
    ) -> None:
        """`check` raises unless the destination answers and accepts the credentials."""
        self._destination = destination
        self._wait_online_seconds = wait_online_seconds
        self._check = check
        self._clock = clock
        self._emit = emit
        self._stop = stop
        self._last_success: float | None = None
        self._claims: list[HoldsRefused] = []
        self._has_refused = False  # something since the last success
        self._refuses_all = False
        self._failed_recoveries = 0
        self._recovery: asyncio.Task[bool] | None = None
        self.reason: str | None = None  # why it is open
        self._next_try: float | None = None

    def watch(self, claims: HoldsRefused) -> None:
        """Decide about the refused items of these claims, too."""
        self._claims.append(claims)

    def record_success(self, now: float) -> None:
        """A request did what it should."""
        self._last_success = now
        self._failed_recoveries = 0
        if self._has_refused:
            self._has_refused = self._refuses_all = False
            for claims in self._claims:
                claims.end_refused()

    def trouble_of(
        self, error: ItemError, began: float, *, refused_hint: str
    ) -> DestinationError | None:
        """The destination's trouble behind the error of an attempt; None where it is the item's.

        A refusal is the destination's as long as nothing was ever accepted, and when it is one of
        many in a row; those before it have to be held back for that. An unreachable store is when
        nothing got through since the attempt began, or for a while: all its tries may have
        failed after a cut that others, begun at the same time, were quick enough for. Raises
        DestinationError for a full store: waiting makes no room.
        """
        if isinstance(error, StoreFull):
            raise DestinationError(str(error), hint="Make room at the destination.") from error
        if isinstance(error, StoreForbidden) and self._is_refusing():
            return CredentialsRefused(str(error), code=error.code, hint=refused_hint)
        if isinstance(error, StoreUnreachable):
            silent_since = max(began, self._clock.monotonic() - SILENCE_SECONDS)
            if self._last_success is None or self._last_success < silent_since:
                return DestinationUnreachable(
                    str(error), hint="Check the network and the endpoint."
                )
        return None

    def _is_refusing(self) -> bool:
        """After one more refusal: whether the destination refuses everything."""
        if self._last_success is None:
            return True
        self._has_refused = True
        refused = sum(claims.refused for claims in self._claims) + 1
        self._refuses_all = self._refuses_all or refused >= MOST_REFUSALS
        return self._refuses_all

    @property
    def state(self) -> str | None:
        """Why it is open, and when the destination is asked next; None while it is closed. Safe
        from any thread."""
        reason, next_try = self.reason, self._next_try
        if reason is None or next_try is None:
            return reason
        seconds = next_try - self._clock.monotonic()
        return f"{reason}; next try " + (f"in {seconds:.0f} s" if seconds >= 1 else "now")

    @property
    def is_open(self) -> bool:
        """Whether requests have to wait until the destination works again."""
        return self._recovery is not None

    async def wait_until_closed(self) -> bool:
        """Wait until the destination works; False when the job is to stop.

        Raises DestinationError when it was given up.
        """
        if self._recovery is not None:
            return await asyncio.shield(self._recovery)
        return not self._stop.is_set

    async def recover(self, trouble: DestinationError) -> bool:
        """Open, and wait as `wait_until_closed` does, asking the destination now and then.

        Raises `trouble` at once before anything ever succeeded: then the settings are wrong.
        """
        if self._recovery is None:
            if self._stop.is_set:
                return False
            if self._last_success is None or self._failed_recoveries >= MOST_FAILED_RECOVERIES:
                raise trouble
            self._failed_recoveries += 1
            self.reason = self._reason_of(trouble)
            self._recovery = asyncio.create_task(self._recover(trouble))
            self._recovery.add_done_callback(self._close)
        return await asyncio.shield(self._recovery)

    def cancel(self) -> None:
        """Stop waiting for the destination: nothing is left to be sent there."""
        if self._recovery is not None:
            self._recovery.cancel()

    def _close(self, recovery: asyncio.Task[bool]) -> None:
        self._recovery = self.reason = self._next_try = None
        if not recovery.cancelled():
            recovery.exception()  # raised by those that wait for it, if any are left

    async def _recover(self, trouble: DestinationError) -> bool:
        for claims in self._claims:
            await claims.release_refused()
        until: float | None = None
        if isinstance(trouble, DestinationUnreachable):
            until = self._clock.monotonic() + self._wait_online_seconds
        is_first = True
        for seconds in self._waits(trouble, until):
            left = None if until is None else until - self._clock.monotonic()
            self._emit(Paused(self._reason_of(trouble), seconds, left, is_first))
            is_first = False
            self._next_try = self._clock.monotonic() + seconds
            if await self._sleep_or_stop(seconds):
                return False
            try:
                await self._check()
            except BulkupError:
                continue
            return True
        raise trouble

    def _reason_of(self, trouble: DestinationError) -> str:
        if isinstance(trouble, DestinationUnreachable):
            return f"{self._destination}: {plain(trouble)}"
        return str(trouble)

    def _waits(self, trouble: DestinationError, until: float | None) -> Iterator[float]:
        """The waits before the destination is checked again; `until` is when it is given up."""
        if until is None:
            is_auth = isinstance(trouble, (CredentialsExpired, CredentialsRefused))
            yield from AUTH_WAITS_SECONDS if is_auth else OTHER_WAITS_SECONDS
            return
        for seconds in chain(NETWORK_WAITS_SECONDS, repeat(NETWORK_WAITS_SECONDS[-1])):
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            yield min(seconds, left)

    async def _sleep_or_stop(self, seconds: float) -> bool:
        """Whether the job is to stop."""
        stopped = asyncio.create_task(self._stop.event().wait())
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((sleep, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            stopped.cancel()
        return self._stop.is_set


def plain(trouble: BulkupError) -> str:
    """What an error says; of a connection's only the last cause, without what was called to make
    it."""
    if not isinstance(trouble, DestinationUnreachable | StoreUnreachable):
        return str(trouble)
    return re.sub(r" \(os error \d+\)$", "", str(trouble)).rpartition(": ")[2]
