"""The destinations that objects are read from, each at its own pace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from bulkup.errors import DestinationError, ItemError
from bulkup.manifest.destinations import Destination
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.context import RunContext
from bulkup.run.stop_signal import StopSignal
from bulkup.run.store_requests import requests_to
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore

T = TypeVar("T")

REFUSED_HINT = "These keys may not read here."


class Stopped(Exception):
    """The run is to end, and the request was not made."""


class PullSource:
    """One destination. Trouble of all of it pauses the requests and fails no file."""

    def __init__(
        self,
        destination: Destination,
        store: PartStore,
        context: RunContext,
        options: RunOptions,
        stop: StopSignal,
    ) -> None:
        self.destination = destination
        self.store = store
        self.requests = requests_to(store, options, context.clock, context.random)
        self._clock = context.clock
        self.breaker = CircuitBreaker(
            store.check,
            context.clock,
            context.emit,
            stop,
            destination=destination.url,
            wait_online_seconds=options.wait_online_seconds,
        )
        self.refused: DestinationError | None = None

    async def attempt(self, fetch: Callable[[], Awaitable[T]]) -> T:
        """What `fetch` returns, once the destination works.

        Raises ItemError for this object's own trouble, DestinationError when the destination was
        given up, Stopped.
        """
        if self.refused is not None:
            raise self.refused
        try:
            return await self._attempt(fetch)
        except DestinationError as error:
            self.refused = error
            raise

    async def _attempt(self, fetch: Callable[[], Awaitable[T]]) -> T:
        while await self.breaker.wait_until_closed():
            began = self._clock.monotonic()
            try:
                result = await fetch()
            except DestinationError as error:
                trouble = error
            except ItemError as error:
                found = self.breaker.trouble_of(error, began, refused_hint=REFUSED_HINT)
                if found is None:
                    raise
                trouble = found
            else:
                self.breaker.record_success(self._clock.monotonic())
                return result
            if not await self.breaker.recover(trouble):
                break
        raise Stopped

    async def close(self) -> None:
        """Close the connections."""
        self.breaker.cancel()
        await self.store.close()


class Sources:
    """All destinations of a pull; connections are made when the first object is read."""

    def __init__(self, sources: Iterable[PullSource]) -> None:
        self._by_id = {source.destination.id: source for source in sources}

    def __getitem__(self, destination_id: int) -> PullSource:
        return self._by_id[destination_id]

    @property
    def all(self) -> list[PullSource]:
        return list(self._by_id.values())

    @property
    def refused(self) -> DestinationError | None:
        """The error of the first destination that was given up."""
        return next((one.refused for one in self.all if one.refused is not None), None)

    async def close(self) -> None:
        """Close all connections."""
        for source in self.all:
            await source.close()
