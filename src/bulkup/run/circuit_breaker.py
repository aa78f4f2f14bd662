"""Run-level trouble is ridden out: a pause of the run, never a failure of a file (SPEC §4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bulkup.clock import Clock
from bulkup.errors import (
    BulkupError,
    CredentialsExpired,
    CredentialsRefused,
    DestinationError,
    DestinationUnreachable,
    StoreError,
    StoreForbidden,
    StoreUnreachable,
)
from bulkup.events import Emit, Paused

AUTH_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 10.0)
"""Expired keys: whoever renews them does so within seconds, or somebody has to be told."""

NETWORK_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0)
"""A router that restarts, a laptop that changes networks: a minute and a quarter."""

OTHER_WAITS_SECONDS = (1.0, 2.0, 4.0)

SILENCE_SECONDS = 1.0
"""Without a success, and with a file's tries used up: the tries alone take seven on average. If it
was that file's own trouble after all, the check succeeds and the run goes on a second later."""

FRUITLESS_RIDES = 3
"""So many pauses after which the check succeeded and the next request failed all the same."""


class CircuitBreaker:
    """Whether the destination as a whole is well, and waiting until it is again."""

    def __init__(self, check: Callable[[], Awaitable[None]], clock: Clock, emit: Emit) -> None:
        self._check = check
        self._clock = clock
        self._emit = emit
        self._last_success: float | None = None
        self._failed_recoveries = 0
        self._wait_for_breaker: asyncio.Future[bool] | None = None
        self._is_stopped = False
        self.reason: str | None = None

    def record_success(self, now: float) -> None:
        """A request did what it should."""
        self._last_success = now
        self._failed_recoveries = 0

    def is_run_level(self, error: StoreError, began: float) -> bool:
        """Whether an error that came with one object speaks of the whole destination.

        A refusal does so as long as nothing was ever accepted; an unreachable store when nothing
        got through since this attempt began, or for a while: all its tries may have failed after
        a cut that others, begun at the same time, were quick enough for.
        """
        if isinstance(error, StoreForbidden):
            return self._last_success is None
        if isinstance(error, StoreUnreachable):
            silent_since = max(began, self._clock.monotonic() - SILENCE_SECONDS)
            return self._last_success is None or self._last_success < silent_since
        return False

    def stop(self) -> None:
        """Ride no longer: whoever waits is told that it was in vain."""
        self._is_stopped = True
        if self._wait_for_breaker is not None and not self._wait_for_breaker.done():
            self._wait_for_breaker.set_result(False)

    @property
    def is_open(self) -> bool:
        """Whether there is trouble just now, or was to the end."""
        return self._wait_for_breaker is not None or self._is_stopped

    async def wait_until_closed(self) -> bool:
        """Wait until there is no trouble; False when the run is to stop."""
        if self._wait_for_breaker is not None:
            return await asyncio.shield(self._wait_for_breaker)
        return not self._is_stopped

    async def open_and_wait(self, error: DestinationError) -> bool:
        """Wait until the destination is well again, asking it now and then; False when it is not.

        Trouble before anything ever succeeded is not waited out: then the settings are wrong.
        """
        if self._wait_for_breaker is not None:
            return await asyncio.shield(self._wait_for_breaker)
        if (
            self._is_stopped
            or self._last_success is None
            or self._failed_recoveries >= FRUITLESS_RIDES
        ):
            return False
        ride: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._wait_for_breaker = ride
        self._failed_recoveries += 1
        self.reason = str(error)
        is_well = False
        try:
            is_well = await self._wait_out(error, ride)
        finally:
            self.reason = None
            self._wait_for_breaker = None
            if not ride.done():
                ride.set_result(is_well)
        return is_well

    async def _wait_out(self, error: DestinationError, ride: asyncio.Future[bool]) -> bool:
        for seconds in _waits(error):
            self._emit(Paused(str(error), seconds))
            sleep = asyncio.create_task(_sleep(self._clock, seconds))
            await asyncio.wait((sleep, ride), return_when=asyncio.FIRST_COMPLETED)
            sleep.cancel()
            if ride.done():
                return False
            try:
                await self._check()
            except BulkupError:
                continue
            return True
        return False


async def _sleep(clock: Clock, seconds: float) -> bool:
    await clock.sleep(seconds)
    return True


def _waits(error: DestinationError) -> tuple[float, ...]:
    if isinstance(error, DestinationUnreachable):
        return NETWORK_WAITS_SECONDS
    if isinstance(error, (CredentialsExpired, CredentialsRefused)):
        return AUTH_WAITS_SECONDS
    return OTHER_WAITS_SECONDS
