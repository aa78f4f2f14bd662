"""Download thumbnails, for the contact sheet of `search --html`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from bulkup.errors import BulkupError, ObjectMissing, StoreForbidden, StoreRefused
from bulkup.manifest.destinations import Destination
from bulkup.manifest.reports.search import Placed
from bulkup.run.open_destination import open_known
from bulkup.settings.table import Settings
from bulkup.stores.store import ObjectStore

AT_ONCE = 16
MOST_BYTES = 4 << 20
"""A variant is far smaller; a larger object is none of ours."""


async def thumbnails_of(
    contents: Iterable[int],
    placed: Mapping[int, Placed],
    destinations: Mapping[int, Destination],
    settings: Settings,
    environ: Mapping[str, str],
) -> dict[int, bytes]:
    """The smallest variant of each content, by content id. Those that cannot be had are left out:
    a sheet with gaps is better than none."""
    stores = _ThumbnailStores(destinations, settings, environ)
    places = {one: placed[one] for one in contents if one in placed}
    try:
        bodies = await asyncio.gather(*(stores.thumbnail(one) for one in places.values()))
    finally:
        await stores.close()
    return {one: body for one, body in zip(places, bodies, strict=True) if body is not None}


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
        self._failed: set[int] = set()  # destination ids
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def thumbnail(self, place: Placed) -> bytes | None:
        if place.variant_key is None:
            return None
        async with self._slots:
            if place.destination_id in self._failed:
                return None
            try:
                return await _read(self._store(place.destination_id), place.variant_key)
            except (ObjectMissing, StoreForbidden, StoreRefused):
                return None
            except BulkupError:
                self._failed.add(place.destination_id)
                return None

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
