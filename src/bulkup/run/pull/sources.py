"""The destinations that objects are read from, each at its own pace."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import TypeVar

from bulkup.errors import DestinationError, ItemError, ObjectMissing, UsageError
from bulkup.manifest.destinations import Destination
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.context import RunContext
from bulkup.run.stop_signal import StopSignal
from bulkup.run.store_requests import StoreRequests, learned_of, requests_to
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore
from bulkup.stores.urls import is_directory, prefix_of

T = TypeVar("T")

REFUSED_HINT = "These keys may not read here."


class Stopped(Exception):
    """The run is to end, and the request was not made."""


class PullSource:
    """One destination. Trouble of all of it pauses the requests and fails no file.

    The store is opened when the first object is read: a pull that finds all files needs none.
    """

    def __init__(
        self,
        destination: Destination,
        open_store: Callable[[Destination], PartStore],
        context: RunContext,
        options: RunOptions,
        stop: StopSignal,
    ) -> None:
        self.destination = destination
        self.prefix = prefix_of(destination.url)
        self._open_store = open_store
        self._context = context
        self._options = options
        self._stop = stop
        self._clock = context.clock
        self.breaker = CircuitBreaker(
            self._check,
            context.clock,
            context.emit,
            stop,
            destination=destination.url,
            wait_online_seconds=options.wait_online_seconds,
        )
        self.refused: DestinationError | None = None
        self._is_checked = False

    @property
    def opened(self) -> StoreRequests | None:
        """The requests to the store, if it was opened."""
        return self.__dict__.get("requests")

    @cached_property
    def requests(self) -> StoreRequests:
        """The requests to the store. The first use opens it. Raises UsageError."""
        return requests_to(
            self._open_store(self.destination),
            self._options,
            self._clock,
            self._context.random,
            learned=learned_of(self.destination),
        )

    @property
    def store(self) -> PartStore:
        """The store, opened."""
        return self.requests.store

    def begin(self) -> None:
        """To be called when a request's turn has come. Raises Stopped after an interrupt."""
        if self._stop.is_set:
            raise Stopped

    async def _check(self) -> None:
        await self.store.check()

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
                await self._check_directory(error)
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

    async def _check_directory(self, error: ItemError) -> None:
        """Raise DestinationError when the first file is missing since its disk is not mounted."""
        if self._is_checked or not isinstance(error, ObjectMissing):
            return
        self._is_checked = True
        if is_directory(self.destination.url):
            await self.store.check()

    async def close(self) -> None:
        """Close the connections."""
        self.breaker.cancel()
        if self.opened is not None:
            await self.opened.store.close()


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
    def opened(self) -> list[StoreRequests]:
        """The requests to those that were opened."""
        return [opened for source in self.all if (opened := source.opened) is not None]

    @property
    def refused(self) -> DestinationError | None:
        """The error of the first destination that was given up."""
        return next((one.refused for one in self.all if one.refused is not None), None)

    async def close(self) -> None:
        """Close all connections."""
        for source in self.all:
            await source.close()


def require_outside(into: str, known: Iterable[Destination]) -> None:
    """Raise UsageError for a folder that is a destination, or lies in one: what is pulled there
    would be objects that nobody knows."""
    real = os.path.realpath(into)
    for one in known:
        if not is_directory(one.url):
            continue
        place = os.path.realpath(one.url)
        if os.path.commonpath((real, place)) == place:
            raise UsageError(
                f"{into!r} is inside the destination {one.url}",
                hint="Name another folder with --into.",
            )
