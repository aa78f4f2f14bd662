"""Requests to one store: each with its tries, and each try when the limiter lets it through."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from random import Random
from typing import TypeVar

from bulkup.clock import Clock
from bulkup.errors import StoreError
from bulkup.manifest.destinations import Destination
from bulkup.pace.learned import Learned
from bulkup.pace.limiter import RequestLimiter
from bulkup.pace.pacer import Pacer
from bulkup.pace.token_bucket import TokenBucket
from bulkup.pace.tries import CONTROL_TRIES, PUT_TRIES, with_tries
from bulkup.run.circuit_breaker import plain
from bulkup.run.descriptors import most_connections
from bulkup.settings.options import RunOptions
from bulkup.stores.store import LimitsBodies, ObjectStore, PartStore

T = TypeVar("T")


BANDWIDTH_BURST_SECONDS = 0.25
"""--bwlimit holds over a quarter of a second: no longer burst fills the uplink's queue."""


class StoreRequests:
    """What the parts of a job or command share to reach their destination."""

    def __init__(
        self, store: PartStore, limiter: RequestLimiter, clock: Clock, random: Random
    ) -> None:
        self.store = store
        self.limiter = limiter
        self.backing_off = 0  # requests that wait before their next try
        self._last_failed: str | None = None
        self._clock = clock
        self._random = random

    @property
    def failing(self) -> str | None:
        """Why the last try failed, while requests wait before their next. Safe from any thread."""
        waiting, reason = self.backing_off, self._last_failed
        return f"{reason} ({waiting} to be tried again)" if waiting and reason else None

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` returns: a question to the store, without a body."""
        return await self.tries(call, 0, CONTROL_TRIES)

    async def read(self, key: str, most_bytes: int = sys.maxsize) -> bytes:
        """The object's bytes, up to about so many."""

        async def read() -> bytes:
            body = bytearray()
            async for chunk in chunks_of(self.store, key):
                body += chunk
                if len(body) >= most_bytes:
                    break
            return bytes(body)

        return await self.ask(read)

    async def tries(
        self,
        call: Callable[[], Awaitable[T]],
        size_bytes: int,
        most: int = PUT_TRIES,
        failed: StoreError | None = None,
    ) -> T:
        """What `call` returns, a request with so many body bytes, after at most so many tries.

        `failed` is the error of a first try that was made already. Raises the last try's error.
        """
        waiting = 0

        def count_wait(error: StoreError, _seconds: float) -> None:
            nonlocal waiting
            self._last_failed = plain(error)
            waiting = 1
            self.backing_off += 1

        async def request() -> T:
            nonlocal waiting
            self.backing_off -= waiting
            waiting = 0
            return await self.limiter.request(call, size_bytes)

        try:
            return await with_tries(
                request,
                tries=most,
                clock=self._clock,
                random=self._random,
                failed=failed,
                on_try=count_wait,
            )
        finally:
            self.backing_off -= waiting


def requests_to(
    store: PartStore,
    options: RunOptions,
    clock: Clock,
    random: Random,
    *,
    learned: Learned | None = None,
) -> StoreRequests:
    """Requests at the pace that the options allow, which begins at what was `learned`."""
    pacer = Pacer(
        clock,
        fixed_limit=options.concurrency,
        ceiling=most_connections(),
        max_rate_per_second=options.max_rate_per_second,
        learned=learned,
    )
    bandwidth, bucket = options.bwlimit_bytes_per_second, None
    if bandwidth:
        burst = bandwidth * BANDWIDTH_BURST_SECONDS
        bucket = TokenBucket(bandwidth, burst, now=clock.monotonic())
        if isinstance(store, LimitsBodies):
            store.limit_bodies(bandwidth)
    return StoreRequests(store, RequestLimiter(pacer, clock, bucket), clock, random)


def learned_of(destination: Destination) -> Learned | None:
    """What an earlier run learned about the destination's pace; None when it learned nothing."""
    if destination.learned_limit is None or destination.learned_at is None:
        return None
    return Learned(destination.learned_limit, destination.learned_rate, destination.learned_at)


async def chunks_of(store: ObjectStore, key: str) -> AsyncIterator[bytes]:
    """The object's bytes. The request ends with its reader, also when that stops early."""
    chunks = store.open(key)
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
