"""The destinations, opened when they are first asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bulkup.clock import Clock
from bulkup.manifest.destinations import Destination
from bulkup.run.open_destination import open_known
from bulkup.serve.manifest_threads import ManifestThreads
from bulkup.serve.problems import Problem
from bulkup.settings.options import RunOptions
from bulkup.stores.store import PartStore


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

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(store.close() for store in self._stores.values()))
