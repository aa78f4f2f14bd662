"""Thumbnails brought from their destinations, to be shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from bulkup.errors import BulkupError
from bulkup.manifest.runs import Destination
from bulkup.manifest.searchable import Placed
from bulkup.run.opening import open_known
from bulkup.settings import Settings
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
    gate = asyncio.Semaphore(AT_ONCE)
    found: dict[int, bytes] = {}

    async def bring(content_id: int, place: Placed, key: str) -> None:
        async with gate:
            with suppress(BulkupError):
                if place.destination_id not in stores:
                    known = destinations[place.destination_id]
                    stores[place.destination_id] = open_known(known.url, known, settings, environ)
                body = bytearray()
                async for chunk in stores[place.destination_id].open(key):
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return
                found[content_id] = bytes(body)

    places = ((content_id, placed.get(content_id)) for content_id in dict.fromkeys(contents))
    wanted = ((content_id, place) for content_id, place in places if place is not None)
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
