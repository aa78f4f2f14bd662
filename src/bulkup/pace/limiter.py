"""Where requests wait until they may start: for the window, the rate and the bandwidth."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bulkup.clock import Clock
from bulkup.errors import BulkupError, StoreBroken, StoreBusy, StoreUnreachable
from bulkup.pace.pacer import Pacer
from bulkup.pace.token_bucket import TokenBucket

T = TypeVar("T")


class RequestLimiter:
    """Starts requests in the order they came, as many and as fast as the pacer allows."""

    def __init__(self, pacer: Pacer, clock: Clock, bandwidth: TokenBucket | None = None) -> None:
        self.pacer = pacer
        self.throttled = 0
        self.errors = 0
        self._clock = clock
        self.is_slowed = bandwidth is not None
        self._bandwidth = bandwidth
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._timer: asyncio.Task[None] | None = None

    async def request(self, call: Callable[[], Awaitable[T]], size_bytes: int) -> T:
        """What `call` returns, started when the pacer allows it, which learns from the outcome."""
        if not self.try_acquire(size_bytes):
            await self.acquire(size_bytes)
        began = self._clock.monotonic()
        try:
            result = await call()
            if self.is_slowed:
                await self.wait_as_sent(began, size_bytes)
        except BaseException as error:
            self.release_failed(began, error)
            raise
        self.release(began, size_bytes)
        return result

    def try_acquire(self, size_bytes: int) -> bool:
        """Start a request if one may start now and no other waits; whether that is so."""
        if self._waiting or self._wait_seconds() != 0.0:
            return False
        self._start(size_bytes)
        return True

    async def acquire(self, size_bytes: int) -> None:
        """Start a request as soon as it may start."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size_bytes))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._cancel()
            raise

    async def wait_as_sent(self, began: float, size_bytes: int) -> None:
        """Wait as long as so many bytes take at the bandwidth: a store that cannot send slowly is
        no quicker for it, nor is the last body of a run."""
        if self._bandwidth is not None:
            elapsed = self._clock.monotonic() - began
            wait = size_bytes / self._bandwidth.rate_per_second - elapsed
            if wait > 0.0:
                await self._clock.sleep(wait)

    def release(self, began: float, size_bytes: int) -> None:
        """The request has ended with an answer."""
        now = self._clock.monotonic()
        self.pacer.finished(now, size_bytes, now - began)
        if self._waiting:
            self._admit()

    def release_failed(self, began: float, error: BaseException) -> None:
        """The request has ended with `error`. A refusal of the one object is an answer, too."""
        if isinstance(error, StoreBusy):
            self.throttled += 1
            self.pacer.throttled(self._clock.monotonic(), error.retry_after_seconds)
        elif isinstance(error, (StoreUnreachable, StoreBroken)):
            self.errors += 1
            self.pacer.failed(self._clock.monotonic())
        elif isinstance(error, BulkupError):
            self.release(began, 0)
            return
        else:  # cancelled, or a bug
            self._cancel()
            return
        if self._waiting:
            self._admit()

    def _cancel(self) -> None:
        self.pacer.cancelled(self._clock.monotonic())
        if self._waiting:
            self._admit()

    def _wait_seconds(self) -> float | None:
        """0.0: a request may start now; None: not before another has ended."""
        if self.pacer.in_flight >= self.pacer.limit:
            return None
        now = self._clock.monotonic()
        wait = self.pacer.delay_seconds(now)
        if wait == 0.0 and self._bandwidth is not None:
            wait = self._bandwidth.wait_seconds(now, 0.0)  # until the debt is paid
        return wait

    def _start(self, size_bytes: int) -> None:
        now = self._clock.monotonic()
        if self._bandwidth is not None:
            self._bandwidth.take(now, size_bytes)
        self.pacer.started(now)

    def _admit(self) -> None:
        """Start the requests that may start; set one timer for the first that must wait."""
        while self._waiting:
            turn, size_bytes = self._waiting[0]
            if turn.done():  # cancelled while it waited
                self._waiting.popleft()
                continue
            wait = self._wait_seconds()
            if wait is None:
                return
            if wait > 0.0:
                self._wake_in(wait)
                return
            self._waiting.popleft()
            self._start(size_bytes)
            turn.set_result(None)

    def _wake_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.create_task(self._wake(seconds))

    async def _wake(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timer = None
        self._admit()
