"""Fetched contents → files with their names and times, some at a time, in a thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from bulkup.errors import BulkupError, FileNotWritten
from bulkup.run.pull.contents import WantedContent
from bulkup.run.pull.events import PullKind
from bulkup.run.pull.fetcher import Fetched
from bulkup.run.pull.folder import RANGES, PulledPath, TargetFolder

BATCH = 64
"""Contents that are placed together. A thread costs 60 µs each time it is asked, a file 100 µs."""


class PlacedFile(NamedTuple):
    """What became of one file: where it is, or why not."""

    place: PulledPath
    how: PullKind | None
    error: BulkupError | None = None


class _Order(NamedTuple):
    content: WantedContent
    fetched: Fetched | None  # None: from the file that is there
    result: asyncio.Future[list[PlacedFile]]


class Placing:
    """Gives files their names. For one event loop; `run` is a task of it."""

    def __init__(self, folder: TargetFolder, *, links: bool) -> None:
        self._folder = folder
        self._links = links
        self._orders: asyncio.Queue[_Order] = asyncio.Queue()

    async def place(self, content: WantedContent, fetched: Fetched | None) -> list[PlacedFile]:
        """The content's files, made of what was fetched, or of the file that is there; an empty
        list when that file is not what it seems. Raises FolderUnusable."""
        result: asyncio.Future[list[PlacedFile]] = asyncio.get_running_loop().create_future()
        self._orders.put_nowait(_Order(content, fetched, result))
        return await result

    async def run(self) -> None:
        """Place what comes, until cancelled."""
        while True:
            orders = [await self._orders.get()]
            while len(orders) < BATCH and not self._orders.empty():
                orders.append(self._orders.get_nowait())
            results = await asyncio.shield(asyncio.to_thread(self._place_all, orders))
            for order, result in zip(orders, results, strict=True):
                if order.result.done():
                    continue
                if isinstance(result, BaseException):
                    order.result.set_exception(result)
                else:
                    order.result.set_result(result)

    def _place_all(self, orders: Sequence[_Order]) -> list[list[PlacedFile] | Exception]:
        results: list[list[PlacedFile] | Exception] = []
        for order in orders:
            try:
                results.append(self._place(order.content, order.fetched))
            except Exception as error:  # noqa: BLE001 - raised where the content is waited for
                results.append(error)
        return results

    def _place(self, content: WantedContent, fetched: Fetched | None) -> list[PlacedFile]:
        first = content.there if fetched is None else None
        placed: list[PlacedFile] = []
        if fetched is None and (first is None or self._folder.digest(first.path) != content.digest):
            return []
        staged = None if fetched is None else fetched.staged
        if fetched is not None and fetched.body is not None:
            staged = self._folder.stage(fetched.body)
        for place in content.places:
            try:
                if first is None and staged is not None:
                    first = self._folder.name(staged, place)
                    placed.append(PlacedFile(first, "fetched"))
                    continue
                assert first is not None
                found, is_link = self._folder.repeat(first, place, links=self._links)
                placed.append(PlacedFile(found, "linked" if is_link else "copied"))
            except FileNotWritten as error:
                placed.append(PlacedFile(place, None, error))
        if staged is not None and first is None:
            _remove(staged)
        if fetched is not None and fetched.staged is not None:
            _remove(fetched.staged + RANGES)
        return placed


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
