"""Large contents: sent in parts, every one of them known to the manifest.

What the store says it has (ListParts) is believed, never memory: a part that is recorded and not
listed is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from threading import Lock
from typing import Any, BinaryIO, cast

from bulkup.content.buffers import BufferPool, release
from bulkup.content.digest import composite
from bulkup.content.reading import is_member, open_source
from bulkup.errors import KeyTaken, ObjectMissing, SourceChanged
from bulkup.manifest.rows import WorkItem
from bulkup.model import Attributes, Digest, Part
from bulkup.pace.tries import CONTROL_TRIES, PUT_TRIES
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.upload.loader import ReadyUpload
from bulkup.stores.put_once import Sent, is_same
from bulkup.stores.store import ObjectStore, PartStore

PARTS_IN_FLIGHT_BYTES = 96 << 20
"""Of all large contents together; at 16 MiB a part that is six."""

Tries = Callable[[Callable[[], Awaitable[Any]], int, int], Awaitable[Any]]
"""Runs one request with so many body bytes, at most so many times."""


class MultipartUploader:
    """Multipart uploads of one run to one destination."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        tries: Tries,
        buffers: BufferPool,
        *,
        destination_id: int,
        now: Callable[[], float],
    ) -> None:
        self._async_manifest = async_manifest
        self._tries = tries
        self._buffers = buffers
        self._destination_id = destination_id
        self._now = now
        self._slots = asyncio.Semaphore(0)
        self._slot_bytes = 0

    async def send(
        self, store: ObjectStore, ready: ReadyUpload, key: str, attributes: Attributes
    ) -> Sent:
        """Send the content in parts, going on with an upload that was begun earlier.

        Raises KeyTaken when another content is under `key`: that is looked at before the first
        part is sent, and settled by the store when the object is made.
        """
        parts_store = cast("PartStore", store)
        adopted = await self._adopted(parts_store, ready, key)
        if adopted is not None:
            return adopted
        upload_id, have = await self._begin(parts_store, ready, key, attributes)
        missing = [n for n in range(1, _count(ready) + 1) if n not in have]
        have.update(await self._send_parts(parts_store, ready, key, upload_id, missing))
        parts = [have[number] for number in sorted(have)]
        try:
            stored = await self._tries(
                lambda: parts_store.complete_parts(key, upload_id, parts, exclusive=True),
                0,
                PUT_TRIES,
            )
        except (KeyTaken, ObjectMissing):
            # The answer to an earlier try may have been lost, with the object made.
            try:
                adopted = await self._adopted(parts_store, ready, key)
            finally:
                await self._abort(parts_store, ready, key, upload_id)
            if adopted is None:
                raise
            return adopted
        return Sent(stored.etag, "sent", composite(ready.loaded.part_digests))

    async def _adopted(self, store: PartStore, ready: ReadyUpload, key: str) -> Sent | None:
        """The object under `key` when it is this content already; KeyTaken when it is another."""
        try:
            info = await self._tries(lambda: store.head(key), 0, CONTROL_TRIES)
        except ObjectMissing:
            return None
        size = ready.loaded.size_bytes
        digest = ready.loaded.digest
        if not await is_same(store, info, size_bytes=size, digest=digest, body=None):
            raise KeyTaken(f"{key} holds another content")
        return Sent(info.etag, "adopted", composite(ready.loaded.part_digests))

    async def _begin(
        self, store: PartStore, ready: ReadyUpload, key: str, attributes: Attributes
    ) -> tuple[str, dict[int, Part]]:
        """The upload id to go on with, and the good parts that the store has of it."""
        work, uploads = ready.work, self._async_manifest.manifest.multipart_uploads
        begun = await self._async_manifest.call(uploads.open_upload, work.item_id)
        if begun is not None and (begun.key, begun.part_bytes) == (key, ready.loaded.part_bytes):
            try:
                listed = await self._tries(
                    lambda: store.list_parts(key, begun.upload_id), 0, CONTROL_TRIES
                )
            except ObjectMissing:
                pass
            else:
                return begun.upload_id, _good(listed, begun.parts, ready)
        elif begun is not None:  # under another key, or in parts of another size
            await self._abort(store, ready, begun.key, begun.upload_id)
        upload_id = await self._tries(
            lambda: store.begin_parts(key, digest=ready.loaded.digest, attributes=attributes),
            0,
            CONTROL_TRIES,
        )
        await self._async_manifest.call(
            uploads.begin_upload,
            work.item_id,
            destination_id=self._destination_id,
            key=key,
            upload_id=upload_id,
            part_bytes=ready.loaded.part_bytes,
            now=self._now(),
        )
        return upload_id, {}

    async def _send_parts(
        self, store: PartStore, ready: ReadyUpload, key: str, upload_id: str, missing: list[int]
    ) -> dict[int, Part]:
        """Read the missing parts in order, send several at a time, record each as it is stored."""
        slots = self._slots_for(ready.loaded.part_bytes)
        sent: dict[int, Part] = {}
        reader = _PartReader(ready, missing, self._buffers)

        async def send(number: int, body: memoryview) -> None:
            size_bytes = len(body)
            digest = ready.loaded.part_digests[number - 1]
            try:
                part = await self._tries(
                    lambda: store.put_part(key, upload_id, number, body, digest=digest),
                    size_bytes,
                    PUT_TRIES,
                )
            finally:
                release(body)
                slots.release()
            part = Part(number, size_bytes, part.etag, digest)
            await self._async_manifest.call(
                self._async_manifest.manifest.multipart_uploads.record_part,
                ready.work.item_id,
                part,
            )
            sent[number] = part

        tasks: set[asyncio.Task[None]] = set()
        try:
            for number in missing:
                await slots.acquire()
                try:
                    body = await asyncio.to_thread(reader.next)
                except BaseException:
                    slots.release()
                    raise
                task = asyncio.create_task(send(number, body))
                tasks.add(task)
                for ended in [t for t in tasks if t.done()]:
                    tasks.discard(ended)
                    ended.result()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(reader.close)
        return sent

    def _slots_for(self, part_bytes: int) -> asyncio.Semaphore:
        """What bounds the bytes of parts in memory, for all large contents of this run."""
        if part_bytes > self._slot_bytes:
            self._slot_bytes = part_bytes
            self._slots = asyncio.Semaphore(max(2, PARTS_IN_FLIGHT_BYTES // part_bytes))
        return self._slots

    async def _abort(self, store: PartStore, ready: ReadyUpload, key: str, upload_id: str) -> None:
        await self._tries(lambda: store.abort_parts(key, upload_id), 0, CONTROL_TRIES)
        await self._async_manifest.call(
            self._async_manifest.manifest.multipart_uploads.drop_upload, ready.work.item_id
        )


class _PartReader:
    """The bytes of some parts of a content, in ascending order."""

    def __init__(self, ready: ReadyUpload, numbers: list[int], buffers: BufferPool) -> None:
        self._work = ready.work
        self._loaded = ready.loaded
        self._numbers = iter(numbers)
        self._buffers = buffers
        self._source: Generator[memoryview] | None = None
        self._lock = Lock()  # a reading thread outlives the task that was cancelled

    def next(self) -> memoryview:
        """The next part's bytes. Raises SourceError."""
        with self._lock:
            if self._source is None:
                self._source = self._read()
            return next(self._source)

    def close(self) -> None:
        """Give the file back, once it is not being read."""
        with self._lock:
            if self._source is not None:
                self._source.close()

    def _read(self) -> Generator[memoryview]:
        work, part_bytes = self._work, self._loaded.part_bytes
        size = self._loaded.size_bytes
        position = 0
        with open_source(work.root, work.folder, work.name) as (file, _):
            for number in self._numbers:
                start = (number - 1) * part_bytes
                _skip(file, work, start - position, start)
                count = min(part_bytes, size - start)
                position = start + count
                yield self._exactly(file, count)

    def _exactly(self, file: BinaryIO, count: int) -> memoryview:
        """The next `count` bytes. Raises SourceChanged when there are fewer."""
        body = self._buffers.take(count)
        if body is None:
            body = memoryview(bytearray(count))
        got = 0
        while got < count and (more := file.readinto(body[got:])):  # type: ignore[attr-defined]
            got += more
        if got < count:
            raise SourceChanged(
                f"{self._work.folder}{self._work.name} became shorter while it was sent"
            )
        return body


def _skip(file: BinaryIO, work: WorkItem, count: int, to: int) -> None:
    """Go on to where the next part starts; a member of an archive has to be read for that."""
    if not is_member(work.folder):
        file.seek(to)
        return
    while count > 0 and (chunk := file.read(min(count, 1 << 20))):
        count -= len(chunk)


def _count(ready: ReadyUpload) -> int:
    return len(ready.loaded.part_digests)


def _good(listed: list[Part], recorded: tuple[Part, ...], ready: ReadyUpload) -> dict[int, Part]:
    """The listed parts that hold the right bytes: by the store's own checksum where it tells one,
    else by the ETag under which we recorded this digest."""
    etags: dict[int, tuple[str, Digest | None]] = {p.number: (p.etag, p.digest) for p in recorded}
    loaded = ready.loaded
    good = {}
    for part in listed:
        if not 1 <= part.number <= len(loaded.part_digests):
            continue
        digest = loaded.part_digests[part.number - 1]
        start = (part.number - 1) * loaded.part_bytes
        size = min(loaded.part_bytes, loaded.size_bytes - start)
        same = (
            part.digest == digest
            if part.digest is not None
            else etags.get(part.number) == (part.etag, digest)
        )
        if same and part.size_bytes == size:
            good[part.number] = Part(part.number, size, part.etag, digest)
    return good
