"""Thumbnails brought from their destinations, to be shown."""

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
"""A variant is far smaller; what is larger is none of ours."""


async def thumbs_of(
    contents: Iterable[int],
    placed: Mapping[int, Placed],
    destinations: Mapping[int, Destination],
    settings: Settings,
    environ: Mapping[str, str],
) -> dict[int, bytes]:
    """The smallest variant of each content that can be had. What cannot is left out: a sheet with
    gaps says more than none."""
    stores: dict[int, ObjectStore] = {}
    gone: set[int] = set()  # destinations that did not answer: not asked again for each picture
    limiter = asyncio.Semaphore(AT_ONCE)
    found: dict[int, bytes] = {}

    async def bring(content_id: int, place: Placed, key: str) -> None:
        destination_id = place.destination_id
        async with limiter:
            if destination_id in gone:
                return
            try:
                if destination_id not in stores:
                    known = destinations[destination_id]
                    stores[destination_id] = open_known(known.url, known, settings.run, environ)
                body = await _read(stores[destination_id], key)
            except (ObjectMissing, StoreForbidden, StoreRefused):
                return
            except BulkupError:
                gone.add(destination_id)
                return
            if body is not None:
                found[content_id] = body

    subtrees = ((content_id, placed.get(content_id)) for content_id in dict.fromkeys(contents))
    wanted = ((content_id, place) for content_id, place in subtrees if place is not None)
    try:
        await asyncio.gather(
            *(
                bring(content_id, place, place.variant_key)
                for content_id, place in wanted
                if place.variant_key is not None
            )
        )
    finally:
        for store in stores.values():
            await store.close()
    return found


async def _read(store: ObjectStore, key: str) -> bytes | None:
    """The object; None when it is too large."""
    body = bytearray()
    async for chunk in store.open(key):
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
