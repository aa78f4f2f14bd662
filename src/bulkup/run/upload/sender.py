"""The way to the store: made ready once, then one content after the other, with tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from bulkup.clock import Clock
from bulkup.content.buffers import BufferPool
from bulkup.errors import KeyTaken, ObjectMissing, StoreError
from bulkup.events import UploadKind
from bulkup.manifest.rows import UploadedItem
from bulkup.model import Attributes, Body, Stored
from bulkup.pace.limiter import RequestLimiter
from bulkup.pace.tries import CONTROL_TRIES, PUT_TRIES, with_tries
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.upload.loader import ReadyUpload
from bulkup.run.upload.multipart import MultipartUploader
from bulkup.stores.attributes import Extras, attributes_for
from bulkup.stores.keys import spare_key
from bulkup.stores.put_once import Sent, is_same, send_whole
from bulkup.stores.store import ObjectStore, RequestSigner, SignsRequests

T = TypeVar("T")

FIRST_TRIES = 2
"""The very first request: who mistyped the endpoint shall hear of it within half a minute, also
where each connection takes its full ten seconds to time out."""


FRESH_SECONDS = 300.0
"""S3 takes no request whose time is more than 15 minutes off, and clocks differ."""


class Sender:
    """Sends contents to one store. Until `is_ready`, one at a time."""

    def __init__(
        self,
        store: ObjectStore,
        async_manifest: AsyncManifest,
        limiter: RequestLimiter,
        buffers: BufferPool,
        *,
        destination_id: int,
        extras: Extras,
        clock: Clock,
        random: Random,
    ) -> None:
        self._store = store
        self._signing = store if isinstance(store, SignsRequests) else None
        self._recorded = store.capabilities
        self._async_manifest = async_manifest
        self._limiter = limiter
        self._destination_id = destination_id
        self._extras = extras
        self._clock = clock
        self._random = random
        self._is_checked = False
        self._multipart = MultipartUploader(
            async_manifest, self.tries, buffers, destination_id=destination_id, now=clock.now
        )
        self.is_probed = False
        self.backing_off = 0  # contents that wait to be tried again
        self.abandoned: list[int] = []  # items whose sending was begun and given up

    async def send(self, ready: ReadyUpload) -> tuple[UploadedItem, UploadKind]:
        """Bring one content to the destination; raises as the store does, tries being used up.

        When the key holds another content, the content goes under its spare key.
        """
        began = self._clock.monotonic()
        body = ready.loaded.body
        failed: StoreError | None = None
        if not self._is_checked:
            await self.tries(self._store.check, 0, FIRST_TRIES)
            self._is_checked = True
        if body is not None and ready.is_begun:
            found = await self._found(ready, body)
            if found is not None:
                return self._done(ready, ready.key, found, began)
        elif body is not None:
            # The hot path: the first try of an ordinary file, without a layer in between.
            limiter, size_bytes = self._limiter, len(body)
            if not limiter.try_acquire(size_bytes):
                await limiter.acquire(size_bytes)
            entered = self._clock.monotonic()
            try:
                stored = await self._put(ready, body, entered)
            except BaseException as error:
                limiter.release_failed(entered, error)
                if not isinstance(error, StoreError):
                    raise
                failed = error
            else:
                limiter.release(entered, size_bytes)
                if not self.is_probed or self._store.capabilities is not self._recorded:
                    await self._record_capabilities()
                seconds = self._clock.monotonic() - began
                return UploadedItem(
                    ready.work, ready.key, size_bytes, stored.etag, None, seconds
                ), "sent"
        try:
            key, sent = ready.key, await self._send(ready, ready.key, failed)
        except KeyTaken:
            key = await self._spare_key(ready)
            sent = await self._send(ready, key, None)
        await self._record_capabilities()
        return self._done(ready, key, sent, began)

    async def _put(self, ready: ReadyUpload, body: Body, now: float) -> Stored:
        """One request; the one that was made ready with the file, if there is one."""
        if (
            ready.request is not None
            and self._signing is not None
            and now - ready.prepared_at < FRESH_SECONDS
        ):
            stored = await self._signing.put_signed(ready.key, ready.request)
            if stored is not None:
                return stored
        return await self._store.put(
            ready.key,
            body,
            digest=ready.loaded.digest,
            attributes=self.attributes(ready),
            exclusive=True,
        )

    def request_signer(self) -> RequestSigner | None:
        """What makes requests ready elsewhere, once it is known how they must be."""
        return None if self._signing is None else self._signing.request_signer()

    async def _found(self, ready: ReadyUpload, body: Body) -> Sent | None:
        """The content where it was to go, if it is there: it need not be sent again."""
        try:
            info = await self._look(lambda: self._store.head(ready.key))
        except ObjectMissing:
            return None
        is_there = await is_same(
            self._store,
            info,
            size_bytes=len(body),
            digest=ready.loaded.digest,
            body=body,
        )
        return Sent(info.etag, "adopted") if is_there else None

    async def _spare_key(self, ready: ReadyUpload) -> str:
        """Another key for the content; raises the KeyTaken under way when there is none."""
        key = spare_key(ready.key, ready.loaded.digest)
        if not await self._async_manifest.call(
            self._async_manifest.manifest.upload_queue.rekey,
            ready.work,
            destination_id=self._destination_id,
            key=key,
            size_bytes=ready.loaded.size_bytes,
        ):
            raise KeyTaken(f"{ready.key} and {key} hold other contents")
        return key

    async def _send(self, ready: ReadyUpload, key: str, failed: StoreError | None) -> Sent:
        """With tries; `failed` is the error of the first one, where that was made."""
        body = ready.loaded.body
        if body is None:
            return await self._multipart.send(self._store, ready, key, self.attributes(ready))

        async def tries(call: Callable[[], Awaitable[T]]) -> T:
            return await self.tries(call, len(body), failed=failed)

        return await send_whole(
            self._store,
            key,
            body,
            digest=ready.loaded.digest,
            attributes=self.attributes(ready),
            tries=tries,
            looks=self._look,
        )

    async def _look(self, call: Callable[[], Awaitable[T]]) -> T:
        """A question about an object, with its tries."""
        return await self.tries(call, 0, CONTROL_TRIES)

    def _done(
        self, ready: ReadyUpload, key: str, sent: Sent, began: float
    ) -> tuple[UploadedItem, UploadKind]:
        seconds = self._clock.monotonic() - began
        size_bytes = ready.loaded.size_bytes
        done = UploadedItem(ready.work, key, size_bytes, sent.etag, sent.checksum, seconds)
        return done, sent.how

    def attributes(self, ready: ReadyUpload) -> Attributes:
        """What is stored beside the content's bytes."""
        return attributes_for(
            ready.work.name,
            ready.loaded.modified_ns,
            ready.loaded.media_type,
            self._extras,
        )

    async def tries(
        self,
        call: Callable[[], Awaitable[T]],
        size_bytes: int,
        most: int = PUT_TRIES,
        failed: StoreError | None = None,
    ) -> T:
        """What `call` returns, each try having waited for its turn.

        `failed` is the error of a first try that was made already.
        """
        limiter = self._limiter
        rests = 0

        def rest(_error: StoreError, _seconds: float) -> None:
            nonlocal rests
            rests = 1
            self.backing_off += 1

        async def try_it() -> T:
            nonlocal rests
            self.backing_off -= rests
            rests = 0
            return await limiter.request(call, size_bytes)

        try:
            return await with_tries(
                try_it,
                tries=most,
                clock=self._clock,
                random=self._random,
                failed=failed,
                on_try=rest,
            )
        finally:
            self.backing_off -= rests

    async def copy(self, source_key: str, key: str, size_bytes: int) -> str | None:
        """Copy an object within the destination; its ETag. Raises KeyTaken as `put` does, unless
        the key holds the same content already."""
        try:
            stored = await self.tries(
                lambda: self._store.copy(source_key, key, size_bytes=size_bytes, exclusive=True),
                0,
            )
        except KeyTaken:
            original = await self._look(lambda: self._store.head(source_key))
            found = await self._look(lambda: self._store.head(key))
            if original.digest is None or original.digest != found.digest:
                raise
            return found.etag
        return stored.etag

    def now(self) -> float:
        """The time that is written down."""
        return self._clock.now()

    async def check(self) -> None:
        """Raise DestinationError unless the destination is there and lets us in."""
        await self._store.check()

    async def _record_capabilities(self) -> None:
        """Something was stored. Keep what the store has learned of its endpoint meanwhile."""
        self.is_probed = True
        if (found := self._store.capabilities) is self._recorded:
            return
        self._recorded = found
        await self._async_manifest.call(
            self._async_manifest.manifest.destinations.learn,
            self._destination_id,
            conditional_writes=found.conditional_writes,
            checksums=found.checksums,
            limit=None,
            rate=None,
            now=self._clock.now(),
        )
