"""A run's place among the others: its row, its signs of life, and who has died."""

from __future__ import annotations

import os

from bulkup.clock import Clock
from bulkup.errors import ManifestCorrupt
from bulkup.manifest.runs import RunRow
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.liveness import HEARTBEAT_SECONDS, here, process_started


class Heartbeat:
    """One run as the others see it."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        *,
        run_id: str,
        command: str,
        clock: Clock,
        stale_after_seconds: float,
    ) -> None:
        self._async_manifest = async_manifest
        self._run_id = run_id
        self._command = command
        self._clock = clock
        self._stale_after_seconds = stale_after_seconds
        self._here = here()

    def check_manifest(self) -> None:
        """After a run that did not end cleanly: is the file whole, and who has void claims?"""
        manifest = self._async_manifest.manifest
        runs, path = manifest.runs, manifest.path
        if not any(self.is_gone(run) for run in runs.open_runs()):
            return
        damage = manifest.integrity.damage()
        if damage is not None:
            raise ManifestCorrupt(
                f"{path} is damaged: {damage}",
                hint="Move it away; what was pushed is still at the destination.",
            )
        runs.reap_dead_runs(self.is_gone, now=self._clock.now())

    def is_gone(self, run: RunRow) -> bool:
        """Whether another run can no longer be at work."""
        return run.id != self._run_id and self._here.is_gone(
            run, now=self._clock.now(), stale_after_seconds=self._stale_after_seconds
        )

    def begin(self) -> None:
        """Be known from now on."""
        now, pid = self._clock.now(), os.getpid()
        self._async_manifest.manifest.runs.begin(
            RunRow(
                self._run_id, self._command, self._here.host, pid, process_started(pid), now, now
            )
        )

    async def beat(self) -> None:
        """Signs of life, and a look at whose signs have ceased; never ends by itself."""
        runs = self._async_manifest.manifest.runs
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            await self._async_manifest.call(runs.beat, self._run_id, now=self._clock.now())
            await self._async_manifest.call(
                runs.reap_dead_runs, self.is_gone, now=self._clock.now()
            )
