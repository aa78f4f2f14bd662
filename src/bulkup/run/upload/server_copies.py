"""Duplicates that get an object of their own: copied by the store, never sent."""

from __future__ import annotations

import asyncio

from bulkup.errors import ItemError, KeyTaken, ObjectMissing
from bulkup.events import AttemptFailed, FileDone, FilesDone
from bulkup.manifest.rows import Copy
from bulkup.run.job import JobContext

AT_ONCE = 200


class ServerCopies:
    """All copies that wait at one destination, after the uploads."""

    def __init__(self, job: JobContext) -> None:
        self._context = job.run
        self._queue = job.run.manifest.upload_queue
        self._requests = job.requests
        self._destination_id = job.destination_id
        self._stop = job.stop
        self.made = 0

    async def run(self) -> None:
        """Make the copies until all are made or the job stops.

        One that fails waits for the next push. Raises DestinationError, after those that were made
        are recorded.
        """
        failed: set[int] = set()
        while not self._stop.is_set:
            found = await self._context.call(
                self._queue.copies, self._destination_id, limit=AT_ONCE + len(failed)
            )
            copies = [copy for copy in found if copy.asset_id not in failed]
            if not copies:
                break
            results = await asyncio.gather(
                *(self._copy(copy) for copy in copies), return_exceptions=True
            )
            ended = list(zip(copies, results, strict=True))
            await self._settle(
                [(c, r) for c, r in ended if not isinstance(r, BaseException) and r != ""]
            )
            failed.update(copy.asset_id for copy, result in ended if result == "")
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def _settle(self, copies: list[tuple[Copy, str | None]]) -> None:
        await self._context.call(
            self._queue.settle_copies,
            copies,
            destination_id=self._destination_id,
            now=self._context.clock.now(),
        )
        files = (FileDone(c.path, c.key, "", c.size_bytes, "copied", 0.0) for c, _ in copies)
        if copies:
            self._context.emit(FilesDone(tuple(files)))
        self.made += len(copies)

    async def _copy(self, copy: Copy) -> str | None:
        """The copy's ETag; '' when it failed."""
        try:
            return await self._made(copy)
        except KeyTaken:
            drop = self._queue.drop_copy
            await self._context.call(drop, copy, destination_id=self._destination_id)
        except ItemError as error:
            self._context.emit(
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

    async def _made(self, copy: Copy) -> str | None:
        """The new object's ETag. Raises KeyTaken when its key holds another content."""
        store = self._requests.store
        try:
            stored = await self._requests.tries(
                lambda: store.copy(
                    copy.source_key, copy.key, size_bytes=copy.size_bytes, exclusive=True
                ),
                0,
            )
        except KeyTaken:
            original = await self._requests.ask(lambda: store.head(copy.source_key))
            try:
                found = await self._requests.ask(lambda: store.head(copy.key))
            except ObjectMissing:  # one of its folders is an object, or it is one
                found = None
            if found is None:
                raise
            if original.digest is None or original.digest != found.digest:
                raise
            return found.etag
        return stored.etag
