"""Thumbnails for the contact sheet of `search --html`: downloaded, or made from local files."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulkup.content.picture.types import Picture
from bulkup.errors import BulkupError, ItemError, ObjectMissing, StoreForbidden, StoreRefused
from bulkup.manifest.destinations import Destination
from bulkup.manifest.reports.search import Placed
from bulkup.process.task import MODULES, PictureTask, process
from bulkup.process.worker_pool import Workers
from bulkup.run.open_destination import open_known
from bulkup.settings.stage_options import ProcessOptions
from bulkup.settings.table import Settings
from bulkup.stores.store import ObjectStore

AT_ONCE = 16
AT_ONCE_HERE = 2
MOST_BYTES = 4 << 20
"""A variant is far smaller; a larger object is none of ours."""


class WantedThumb(NamedTuple):
    """A content whose thumbnail is wanted, and a file that had it."""

    content_id: int
    path: str
    size_bytes: int


class Thumbnails(NamedTuple):
    """Thumbnails by content id; and how many are missing, by the place and reason."""

    bodies: dict[int, bytes]
    missing: dict[str, int]


async def thumbnails_of(
    wanted: Sequence[WantedThumb],
    placed: Mapping[int, Placed],
    destinations: Mapping[int, Destination],
    settings: Settings,
    environ: Mapping[str, str],
) -> Thumbnails:
    """The smallest variant of each content. One that cannot be fetched is made from its file."""
    stores = _ThumbnailStores(destinations, settings, environ)
    places = {one.content_id: placed[one.content_id] for one in wanted if one.content_id in placed}
    try:
        fetched = await asyncio.gather(*(stores.thumbnail(one) for one in places.values()))
    finally:
        await stores.close()
    found = dict(zip(places, fetched, strict=True))
    bodies = {one: body for one, body in found.items() if isinstance(body, bytes)}
    lacking = [one for one in wanted if one.content_id not in bodies]
    bodies |= await _made_here(lacking, settings.run.process)
    missing = Counter(
        str(found.get(one.content_id) or "the manifest: no thumbnail was made")
        for one in lacking
        if one.content_id not in bodies
    )
    return Thumbnails(bodies, dict(missing))


async def _made_here(wanted: Sequence[WantedThumb], options: ProcessOptions) -> dict[int, bytes]:
    """Thumbnails of those whose file is there and as large as it was."""
    there = [one for one in wanted if _size_of(one.path) == one.size_bytes]
    if not there:
        return {}
    spec = min(options.variants, key=lambda variant: variant.size_px)
    async with Workers(
        AT_ONCE_HERE, memory_bytes=options.memory_bytes, seconds=options.seconds, modules=MODULES
    ) as workers:

        async def made(one: WantedThumb) -> bytes | None:
            task = PictureTask(one.path, one.path, wanted=(spec,), limits=options.limits)
            try:
                picture = await workers.run(process, task)
            except ItemError:
                return None
            return picture.variants[0].body if isinstance(picture, Picture) else None

        bodies = await asyncio.gather(*map(made, there))
    return {one.content_id: body for one, body in zip(there, bodies, strict=True) if body}


def _size_of(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


class _ThumbnailStores:
    """Stores opened when they are first needed. One that fails is not asked again."""

    def __init__(
        self,
        destinations: Mapping[int, Destination],
        settings: Settings,
        environ: Mapping[str, str],
    ) -> None:
        self._destinations = destinations
        self._settings = settings
        self._environ = environ
        self._stores: dict[int, ObjectStore] = {}
        self._failed: dict[int, str] = {}  # by destination, why
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def thumbnail(self, place: Placed) -> bytes | str | None:
        """The variant, or where it could not be fetched from and why; None if there is none."""
        if place.variant_key is None:
            return None
        to = place.destination_id
        async with self._slots:
            if to in self._failed:
                return self._failed[to]
            try:
                return await _read(self._store(to), place.variant_key)
            except ObjectMissing:
                return f"{self._destinations[to].url}: no such object"
            except BulkupError as error:
                reason = f"{self._destinations[to].url}: {error}"
                if not isinstance(error, (StoreForbidden, StoreRefused)):
                    self._failed[to] = reason
                return reason

    def _store(self, destination_id: int) -> ObjectStore:
        if destination_id not in self._stores:
            known = self._destinations[destination_id]
            store = open_known(known.url, known, self._settings.run, self._environ)
            self._stores[destination_id] = store
        return self._stores[destination_id]

    async def close(self) -> None:
        await asyncio.gather(*(store.close() for store in self._stores.values()))


async def _read(store: ObjectStore, key: str) -> bytes | None:
    """The object; None when it is too large."""
    body = bytearray()
    async for chunk in store.open(key):
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
