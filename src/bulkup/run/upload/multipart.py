"""Large contents: sent in parts, each of which the manifest knows.

The store's list of parts (ListParts) is believed, never memory: a part that is recorded and not
listed is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bulkup.content.buffers import BufferPool, release
from bulkup.content.digest import composite
from bulkup.errors import KeyTaken, ObjectMissing
from bulkup.model import Attributes, Digest, Part
from bulkup.run.job import JobContext
from bulkup.run.stop_signal import task_group
from bulkup.run.upload.loader import ReadyUpload
from bulkup.run.upload.part_reader import ByteLimit, PartReader
from bulkup.stores.put_once import Sent, is_same

PARTS_IN_FLIGHT_BYTES = 96 << 20
"""Of all large contents together; at 16 MiB a part that is six."""


@dataclass(slots=True)
class _Upload:
    """One content on its way."""

    ready: ReadyUpload
    key: str
    upload_id: str
    have: dict[int, Part]  # that the store has, by number

    @property
    def missing(self) -> list[int]:
        count = len(self.ready.loaded.part_digests)
        return [number for number in range(1, count + 1) if number not in self.have]


class MultipartUploader:
    """Multipart uploads of one job."""

    def __init__(self, job: JobContext, buffers: BufferPool) -> None:
        self._context = job.run
        self._uploads = job.run.manifest.multipart_uploads
        self._requests = job.requests
        self._store = job.requests.store
        self._destination_id = job.destination_id
        self._buffers = buffers
        self._in_flight = ByteLimit(PARTS_IN_FLIGHT_BYTES)

    async def send(self, ready: ReadyUpload, key: str, attributes: Attributes) -> Sent:
        """Send the content in parts, continuing an upload that was begun earlier.

        Raises KeyTaken when another content is under `key`: it is looked for before the first part
        is sent, and the store decides when the object is made.
        """
        adopted = await self._adopted(ready, key)
        if adopted is not None:
            return adopted
        try:
            upload = await self._begin(ready, key, attributes)
        except KeyTaken:  # by the time that it was looked for, or under another key
            adopted = await self._adopted(ready, key)
            if adopted is None:
                raise
            return adopted
        await self._send_parts(upload)
        parts = [upload.have[number] for number in sorted(upload.have)]
        try:
            stored = await self._requests.tries(
                lambda: self._store.complete_parts(key, upload.upload_id, parts, exclusive=True), 0
            )
        except (KeyTaken, ObjectMissing):
            # The object may have been made, and the answer to an earlier try lost.
            try:
                adopted = await self._adopted(ready, key)
            finally:
                await self._abort(ready, key, upload.upload_id)
            if adopted is None:
                raise
            return adopted
        return Sent(stored.etag, "sent", composite(ready.loaded.part_digests))

    async def _adopted(self, ready: ReadyUpload, key: str) -> Sent | None:
        """The object under `key` when it is this content already; KeyTaken when it is another."""
        loaded = ready.loaded
        try:
            info = await self._requests.ask(lambda: self._store.head(key))
        except ObjectMissing:
            return None
        if not await is_same(
            self._store, info, size_bytes=loaded.size_bytes, digest=loaded.digest, body=None
        ):
            raise KeyTaken(f"{key} holds another content")
        return Sent(info.etag, "adopted", composite(loaded.part_digests))

    async def _begin(self, ready: ReadyUpload, key: str, attributes: Attributes) -> _Upload:
        """An upload to continue, with the good parts that the store has of it; else a new one."""
        item_id, loaded = ready.item.item_id, ready.loaded
        begun = await self._context.call(self._uploads.open_upload, item_id)
        if begun is not None and (begun.key, begun.part_bytes) == (key, loaded.part_bytes):
            try:
                listed = await self._requests.ask(
                    lambda: self._store.list_parts(key, begun.upload_id)
                )
            except ObjectMissing:
                pass
            else:
                return _Upload(ready, key, begun.upload_id, _good(listed, begun.parts, ready))
        elif begun is not None:  # under another key, or in parts of another size
            await self._abort(ready, begun.key, begun.upload_id)
        upload_id = await self._requests.ask(
            lambda: self._store.begin_parts(
                key,
                digest=loaded.digest,
                attributes=attributes,
                size_bytes=loaded.size_bytes,
                part_bytes=loaded.part_bytes,
            )
        )
        await self._context.call(
            self._uploads.begin_upload,
            item_id,
            destination_id=self._destination_id,
            key=key,
            upload_id=upload_id,
            part_bytes=loaded.part_bytes,
            now=self._context.clock.now(),
        )
        return _Upload(ready, key, upload_id, {})

    async def _send_parts(self, upload: _Upload) -> None:
        """Read the missing parts in order, send several at a time, record each as it is stored."""
        missing, size_bytes = upload.missing, upload.ready.loaded.part_bytes
        reader = PartReader(upload.ready, missing, self._buffers)
        async with reader, task_group() as tasks:
            for number in missing:
                await self._in_flight.acquire(size_bytes)
                try:
                    body = await reader.next()
                except BaseException:
                    self._in_flight.release(size_bytes)
                    raise
                task = tasks.create_task(self._send_part(upload, number, body))
                task.add_done_callback(partial(self._end_part, body, size_bytes))

    async def _send_part(self, upload: _Upload, number: int, body: memoryview) -> None:
        size_bytes = len(body)
        digest = upload.ready.loaded.part_digests[number - 1]
        part = await self._requests.tries(
            lambda: self._store.put_part(upload.key, upload.upload_id, number, body, digest=digest),
            size_bytes,
        )
        part = Part(number, size_bytes, part.etag, digest)
        await self._context.call(self._uploads.record_part, upload.ready.item.item_id, part)
        upload.have[number] = part

    def _end_part(self, body: memoryview, size_bytes: int, _task: object) -> None:
        """Also for a task that was cancelled before it began."""
        release(body)
        self._in_flight.release(size_bytes)

    async def _abort(self, ready: ReadyUpload, key: str, upload_id: str) -> None:
        await self._requests.ask(lambda: self._store.abort_parts(key, upload_id))
        await self._context.call(self._uploads.drop_upload, ready.item.item_id)


def _good(listed: list[Part], recorded: tuple[Part, ...], ready: ReadyUpload) -> dict[int, Part]:
    """The listed parts that hold the right bytes: by the store's own checksum where it gives one,
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
