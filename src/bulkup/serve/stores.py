"""The destinations, opened when they are first asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from bulkup.clock import Clock
from bulkup.errors import BulkupError
from bulkup.manifest.destinations import Destination
from bulkup.run.open_destination import open_known
from bulkup.serve.manifest_threads import ManifestThreads
from bulkup.serve.problems import Problem
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore, SignsURLs


class Stores:
    """One open store for each destination. For one event loop."""

    def __init__(
        self,
        manifest: ManifestThreads,
        options: RunOptions,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._manifest = manifest
        self._options = options
        self._environ = environ
        self._clock = clock
        self._stores: dict[int, PartStore] = {}

    async def destination(self, destination_id: int) -> Destination:
        """The manifest's row of it. Raises Problem (404)."""
        for one in await self._manifest.read(lambda reader: reader.destinations.all()):
            if one.id == destination_id:
                return one
        raise Problem(404, "there is no such destination")

    async def of(self, destination_id: int) -> PartStore:
        """The store. Raises Problem, UsageError."""
        if destination_id not in self._stores:
            known = await self.destination(destination_id)
            store = open_known(known.url, known, self._options, self._environ, self._clock)
            if destination_id in self._stores:  # another task was quicker
                await store.close()
            else:
                self._stores[destination_id] = store
        return self._stores[destination_id]

    async def origins(self) -> list[str]:
        """The origins of the URLs that the destinations sign: what pages may talk to beside this
        server. Destinations that cannot be used have none."""
        found: dict[str, None] = {}
        for one in await self._manifest.read(lambda reader: reader.destinations.all()):
            if not one.url.startswith("s3://"):
                continue
            try:
                store = await self.of(one.id)
                if isinstance(store, SignsURLs):
                    parts = urlsplit((await store.sign_get(f"{store.prefix}x", seconds=1)).url)
                    found[f"{parts.scheme}://{parts.netloc}"] = None
            except BulkupError:
                continue
        return list(found)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(store.close() for store in self._stores.values()))
