"""Duplicates that get an object of their own: copied by the store, never sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bulkup.errors import ItemError, KeyTaken
from bulkup.events import AttemptFailed, Emit, FileDone, FilesDone
from bulkup.manifest.rows import Copy
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.upload.sender import Sender

AT_ONCE = 200


class ServerCopies:
    """All copies that wait at one destination, after the uploads."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        sender: Sender,
        *,
        destination_id: int,
        emit: Emit,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._async_manifest = async_manifest
        self._is_stopped = is_stopped
        self._sender = sender
        self._destination_id = destination_id
        self._emit = emit

    async def run(self) -> int:
        """Make the copies until they are made or the run is stopped; returns how many.

        One that fails stays noted for the next push. Raises DestinationError, those that were made
        being recorded.
        """
        queue = self._async_manifest.manifest.upload_queue
        made = 0
        failed: set[int] = set()
        while not self._is_stopped():
            found = await self._async_manifest.call(
                queue.copies, self._destination_id, limit=AT_ONCE + len(failed)
            )
            copies = [copy for copy in found if copy.asset_id not in failed]
            if not copies:
                break
            results = await asyncio.gather(
                *(self._copy(copy) for copy in copies), return_exceptions=True
            )
            ended = list(zip(copies, results, strict=True))
            made += await self._settle(
                [(c, r) for c, r in ended if not isinstance(r, BaseException) and r != ""]
            )
            failed.update(copy.asset_id for copy, result in ended if result == "")
            for result in results:
                if isinstance(result, BaseException):
                    raise result
        return made

    async def _settle(self, copies: list[tuple[Copy, str | None]]) -> int:
        await self._async_manifest.call(
            self._async_manifest.manifest.upload_queue.settle_copies,
            copies,
            destination_id=self._destination_id,
            now=self._sender.now(),
        )
        files = (FileDone(c.path, c.key, "", c.size_bytes, "copied", 0.0) for c, _ in copies)
        if copies:
            self._emit(FilesDone(tuple(files)))
        return len(copies)

    async def _copy(self, copy: Copy) -> str | None:
        """The copy's ETag; '' when it failed."""
        try:
            return await self._sender.copy(copy.source_key, copy.key, copy.size_bytes)
        except KeyTaken:
            await self._async_manifest.call(
                self._async_manifest.manifest.upload_queue.drop_copy,
                copy,
                destination_id=self._destination_id,
            )
        except ItemError as error:
            self._emit(
                AttemptFailed(
                    path=copy.path,
                    stage="upload",
                    attempt=1,
                    error_class=error.error_class.value,
                    error=f"copy failed: {error}",
                    state="waiting",
                    next_attempt_at=None,
                )
            )
        return ""
