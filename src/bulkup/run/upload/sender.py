"""Sends one content after the other; checks the destination first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from bulkup.content.buffers import BufferPool
from bulkup.errors import (
    DestinationUnreachable,
    KeyTaken,
    ObjectMissing,
    StoreBroken,
    StoreBusy,
    StoreError,
)
from bulkup.events import UploadKind
from bulkup.manifest.rows import UploadedItem
from bulkup.model import Attributes, Body, Stored
from bulkup.run.job import JobContext
from bulkup.run.upload.loader import ReadyUpload
from bulkup.run.upload.ready_queue import ReadyQueue
from bulkup.stores.attributes import attributes_for
from bulkup.stores.keys import spare_folder_key, spare_key
from bulkup.stores.put_once import Sent, is_same, send_whole
from bulkup.stores.store import RequestSigner, SignsRequests

if TYPE_CHECKING:
    from bulkup.run.upload.multipart import MultipartUploader

T = TypeVar("T")

SIDE_BY_SIDE_BYTES = 256 << 10
"""The first bodies: smaller ones may be wasted, eight of them. To a far server larger ones
may, too: to wait for one of them takes as long as all of them."""

FRESH_SECONDS = 300.0
"""S3 takes no request whose time is more than 15 minutes off, and clocks differ."""


class Sender:
    """Sends contents to one store, after `check`. Until `is_open` ask `is_alone`."""

    def __init__(self, job: JobContext, buffers: BufferPool) -> None:
        self._context = job.run
        self._requests = job.requests
        self._store = job.requests.store
        self._destination_id = job.destination_id
        self._extras = job.job.order.extras
        self._job, self._buffers = job, buffers
        self._signing = self._store if isinstance(self._store, SignsRequests) else None
        self._recorded = self._store.capabilities
        self._checking: asyncio.Future[None] | None = None
        self.is_checked = False
        self.is_open = False

    def request_signer(self) -> RequestSigner | None:
        """What signs requests elsewhere; None while it is not known how they have to be."""
        if self._signing is None or not self.is_checked:
            return None
        return self._signing.request_signer()

    def begin_check(self, *, is_early: bool = False) -> None:
        """Start to check the destination, while files are found and read; only the first call
        counts. When it `is_early`, perhaps nothing will be sent: then only what changes nothing."""
        if is_early and self._signing is None:
            return
        if self._checking is None and not self.is_checked:
            self._checking = asyncio.ensure_future(self._check())
            # Perhaps nobody asks for its result: nothing is found, or the run ends before.
            self._checking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def end_check(self) -> None:
        """Nothing had to be sent, or nothing may be any more: what was found does not matter."""
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None

    def connect_ahead(self, ready: ReadyQueue) -> None:
        """Open connections for the bodies that may soon be sent together."""
        if self._signing is None or not ready.items:
            return
        pacer = self._requests.limiter.pacer
        most = pacer.ahead if self.is_checked else pacer.limit - 1
        self._signing.connect_ahead(min(ready.expected(self._signing.pooled_bytes), most))

    async def check(self) -> None:
        """Check the destination. Raises DestinationError, also when it answers nothing but 5xx or
        429: then no file can be sent, and none of them is at fault."""
        checking, self._checking = self._checking, None
        await (checking or self._check())

    async def _check(self) -> None:
        try:
            await self._requests.tries(self._store.check, 0)
        except (StoreBroken, StoreBusy) as error:
            hint = error.hint or "Try again later."
            raise DestinationUnreachable(str(error), code=error.code, hint=hint) from error
        self.is_checked = True
        self.is_open = self._store.capabilities.conditional_writes is not None

    @property
    def is_unknown(self) -> bool:
        """Whether the endpoint may still refuse a request for a header, after its body."""
        return self._store.capabilities.conditional_writes is None

    def is_alone(self, size_bytes: int) -> bool:
        """Whether the next content, of this size, has to be sent before another one is: not enough
        is known of the endpoint, which may refuse the request after it has read the body."""
        is_cheap = size_bytes <= SIDE_BY_SIDE_BYTES or self._requests.limiter.pacer.is_far
        return not (self.is_open or (self._store.capabilities.was_empty and is_cheap))

    async def send(self, ready: ReadyUpload) -> tuple[UploadedItem, UploadKind]:
        """Send one content, with all tries. Raises as the store does.

        When the key holds another content, it is stored under its spare key.
        """
        began = self._context.clock.monotonic()
        body = ready.loaded.body
        failed: StoreError | None = None
        if body is not None and ready.is_begun:
            found = await self._find(ready, body)
            if found is not None:
                return self._done(ready, ready.key, found, began)
        elif body is not None:
            stored = await self._try_once(ready, body)
            if isinstance(stored, Stored):
                self.is_open = True  # one that is accepted is not refused for its headers
                if self._store.capabilities is not self._recorded:
                    await self._record_capabilities()
                seconds = self._context.clock.monotonic() - began
                done = UploadedItem(ready.item, ready.key, len(body), stored.etag, None, seconds)
                return done, "sent"
            failed = stored
        try:
            key, sent = ready.key, await self._send(ready, ready.key, failed)
        except KeyTaken:
            key, sent = await self._send_spare(ready)
        await self._record_capabilities()
        return self._done(ready, key, sent, began)

    async def _try_once(self, ready: ReadyUpload, body: Body) -> Stored | StoreError:
        """The hot path: the first try of an ordinary file, without tenacity."""
        limiter, size_bytes = self._requests.limiter, len(body)
        if not limiter.try_acquire(size_bytes):
            await limiter.acquire(size_bytes)
        entered = self._context.clock.monotonic()
        try:
            stored = await self._put(ready, body, entered)
            if limiter.is_slowed:
                await limiter.wait_as_sent(entered, size_bytes)
        except BaseException as error:
            limiter.release_failed(entered, error)
            if not isinstance(error, StoreError):
                raise
            return error
        limiter.release(entered, size_bytes)
        return stored

    async def _put(self, ready: ReadyUpload, body: Body, now: float) -> Stored:
        """One request; the one that was made when the file was loaded, if there is one."""
        is_fresh = ready.request is not None and now - ready.signed_at < FRESH_SECONDS
        if is_fresh and ready.request is not None and self._signing is not None:
            stored = await self._signing.put_signed(ready.key, ready.request)
            if stored is not None:
                return stored
        return await self._store.put(
            ready.key,
            body,
            digest=ready.loaded.digest,
            attributes=self._attributes(ready),
            exclusive=True,
        )

    async def _find(self, ready: ReadyUpload, body: Body) -> Sent | None:
        """The content under its key, if it is there: it need not be sent again."""
        try:
            info = await self._requests.ask(lambda: self._store.head(ready.key))
        except ObjectMissing:
            return None
        is_there = await is_same(
            self._store, info, size_bytes=len(body), digest=ready.loaded.digest, body=body
        )
        return Sent(info.etag, "adopted") if is_there else None

    async def _send_spare(self, ready: ReadyUpload) -> tuple[str, Sent]:
        """Send under another key. Raises KeyTaken when each is taken.

        In a directory a folder of the key may be an object: then no name below it is free.
        """
        digest = ready.loaded.digest
        taken = KeyTaken(f"{ready.key} and its spare keys hold other contents")
        for key in (
            spare_key(ready.key, digest),
            spare_folder_key(ready.key, digest, self._store.prefix),
        ):
            if key is None or not await self._context.call(
                self._context.manifest.upload_queue.rekey,
                ready.item,
                destination_id=self._destination_id,
                key=key,
                size_bytes=ready.loaded.size_bytes,
            ):
                continue
            try:
                return key, await self._send(ready, key, None)
            except KeyTaken as error:
                taken = error
        raise taken

    @cached_property
    def _multipart(self) -> MultipartUploader:
        from bulkup.run.upload.multipart import MultipartUploader

        return MultipartUploader(self._job, self._buffers)

    async def _send(self, ready: ReadyUpload, key: str, failed: StoreError | None) -> Sent:
        """Send with tries; `failed` is the error of the first one, where that was made."""
        body = ready.loaded.body
        if body is None:
            return await self._multipart.send(ready, key, self._attributes(ready))

        async def tries(call: Callable[[], Awaitable[T]]) -> T:
            nonlocal failed
            first, failed = failed, None
            return await self._requests.tries(call, len(body), failed=first)

        return await send_whole(
            self._store,
            key,
            body,
            digest=ready.loaded.digest,
            attributes=self._attributes(ready),
            tries=tries,
            ask=self._requests.ask,
        )

    def _done(
        self, ready: ReadyUpload, key: str, sent: Sent, began: float
    ) -> tuple[UploadedItem, UploadKind]:
        seconds = self._context.clock.monotonic() - began
        size_bytes = ready.loaded.size_bytes
        done = UploadedItem(ready.item, key, size_bytes, sent.etag, sent.checksum, seconds)
        return done, sent.how

    def _attributes(self, ready: ReadyUpload) -> Attributes:
        loaded = ready.loaded
        return attributes_for(ready.item.name, loaded.modified_ns, loaded.media_type, self._extras)

    async def finish(self) -> None:
        """Record what is still being found out of the endpoint."""
        await self._store.probed()
        await self._record_capabilities()

    async def _record_capabilities(self) -> None:
        """Remember in the manifest what the store has learned of its endpoint."""
        self.is_open = True
        capabilities = self._store.capabilities
        before, self._recorded = self._recorded, capabilities
        if capabilities[:2] == before[:2]:
            return
        await self._context.call(
            self._context.manifest.destinations.learn,
            self._destination_id,
            conditional_writes=capabilities.conditional_writes,
            checksums=capabilities.checksums,
            limit=None,
            rate=None,
            now=self._context.clock.now(),
        )
