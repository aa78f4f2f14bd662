"""Access to a destination for commands that only read it, as a run that other runs can see."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from bulkup.clock import Clock
from bulkup.errors import ExitCode
from bulkup.manifest.destinations import Destination
from bulkup.manifest.manifest import Manifest
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.heartbeat import Heartbeat
from bulkup.run.open_destination import open_known
from bulkup.run.store_reader import StoreReader
from bulkup.run.store_requests import requests_to
from bulkup.settings.options import RunOptions


@dataclass(frozen=True, slots=True)
class ReadSession:
    """What `verify` and `rebuild` need to read a destination and to write the manifest."""

    manifest: Manifest
    options: RunOptions
    environ: Mapping[str, str]
    clock: Clock
    random: Random
    async_manifest: AsyncManifest = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "async_manifest", AsyncManifest(self.manifest))

    @asynccontextmanager
    async def open(self, command: str, destination: Destination) -> AsyncIterator[StoreReader]:
        """A reader of the destination. Meanwhile the manifest has a run with a heartbeat.

        Raises UsageError, and ManifestCorrupt when an earlier run left a damaged file.
        """
        store = open_known(destination.url, destination, self.options, self.environ)
        try:
            async with self._run(command, destination.url):
                yield StoreReader(requests_to(store, self.options, self.clock, self.random))
        finally:
            await store.close()

    @asynccontextmanager
    async def _run(self, command: str, url: str) -> AsyncIterator[None]:
        run_id = secrets.token_hex(6)
        heartbeat = Heartbeat(
            self.async_manifest,
            run_id=run_id,
            command=command,
            clock=self.clock,
            stale_after_seconds=self.options.stale_after_seconds,
        )
        heartbeat.check_manifest()
        heartbeat.begin()
        beating = asyncio.create_task(heartbeat.keep_beating())
        exit_code = ExitCode.DESTINATION
        try:
            yield
            exit_code = ExitCode.DONE
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            self.manifest.runs.end(
                run_id, now=self.clock.now(), exit_code=int(exit_code), summary={"to": url}
            )
