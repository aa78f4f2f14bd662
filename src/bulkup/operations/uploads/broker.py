"""Keys are reserved, and URLs handed out to whoever announced the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from bulkup.clock import Clock
from bulkup.content.digest import digest_of
from bulkup.errors import BulkupError, KeyTaken, ObjectMissing, UsageError
from bulkup.manifest.destinations import Destination
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.uploads.rows import Announced, NewReservation, Reservation, StoredUpload
from bulkup.model import Attributes, Digest, Part
from bulkup.operations.uploads.announcement import read_announcement
from bulkup.operations.uploads.destination import ManifestAccess, choose, open_destination
from bulkup.operations.uploads.expiry import EVERY_SECONDS, give_up, give_up_expired
from bulkup.operations.uploads.own_urls import OwnURLs
from bulkup.pace.tries import CONTROL_TRIES, with_tries
from bulkup.run.upload.part_reader import ByteLimit
from bulkup.settings.table import Settings
from bulkup.stores.attributes import attributes_for
from bulkup.stores.keys import key_for, spare_key
from bulkup.stores.store import PartStore, SignedURL, SignsURLs, URLBindings

T = TypeVar("T")

URL_SECONDS = 300
"""Long enough for a part over a slow line to begin, short enough for a URL that got lost."""

RESERVED_SECONDS = 86_400.0

IN_MEMORY_BYTES = 256 << 20
"""Of bodies that the server itself receives; further ones wait."""


class UploadUnknown(UsageError):
    """There is no such upload, or it is another client's, or it was given up."""


@dataclass(frozen=True, slots=True)
class OpenDestination:
    """Where uploads go, and what is known of it."""

    row: Destination
    store: PartStore
    bindings: URLBindings | None  # None: its URLs are the server's own


class Broker:
    """The uploads of one server. For use from one event loop."""

    def __init__(
        self,
        manifest: ManifestAccess,
        settings: Settings,
        environ: Mapping[str, str],
        clock: Clock,
        random: Random,
        *,
        new_id: Callable[[], str],
        secret: bytes,
    ) -> None:
        """`new_id` makes ids that nobody can guess; `secret` signs the server's own URLs."""
        self.manifest = manifest
        self.clock = clock
        self.own_urls = OwnURLs(secret)
        self.memory = ByteLimit(IN_MEMORY_BYTES)
        self.upload = settings.upload
        self._run = settings.run
        self._environ = environ
        self._random = random
        self._new_id = new_id
        self._opening = asyncio.Lock()
        self._opened: OpenDestination | None = None
        self._clean_at = 0.0  # on the monotonic clock

    async def destination(self) -> OpenDestination:
        """Where uploads go. The first call opens it, and finds out what its URLs bind. Raises
        UsageError, DestinationError and StoreError."""
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    self._opened = await self._open()
        return self._opened

    async def _open(self) -> OpenDestination:
        row = await self.manifest.write(
            lambda manifest: choose(manifest.destinations, self.upload, self._run, self._environ)
        )
        store = open_destination(row, self.upload, self._run, self._environ, self.clock)
        try:
            await self.tries(store.check)
            bindings = await self._bindings(row, store)
        except BaseException:
            await store.close()
            raise
        return OpenDestination(row, store, bindings)

    async def _bindings(self, row: Destination, store: PartStore) -> URLBindings | None:
        if not isinstance(store, SignsURLs):
            return None
        names = await self.manifest.read(lambda reader: reader.destinations.url_bindings(row.id))
        if names is None:
            found = await store.probe_bindings(f"probe-{self._new_id()}")
            names = frozenset(name for name, is_bound in found._asdict().items() if is_bound)
            learned = names
            await self.manifest.write(
                lambda manifest: manifest.destinations.learn_url_bindings(row.id, learned)
            )
        return URLBindings(**{name: name in names for name in URLBindings._fields})

    async def tries(self, call: Callable[[], Awaitable[T]]) -> T:
        """What a request to the store returns, made again after trouble that may pass."""
        return await with_tries(call, tries=CONTROL_TRIES, clock=self.clock, random=self._random)

    # Reserving ------------------------------------------------------------------------------

    async def reserve(self, document: Mapping[str, Any], owner: str) -> Reservation | StoredUpload:
        """Reserve a key for what a client announced; StoredUpload when the destination has it.

        The same announcement again gives the same reservation. Raises UsageError, and KeyTaken
        where the path is taken and may not be changed.
        """
        to = await self.destination()
        threshold = to.store.part_threshold_bytes
        if threshold is not None:
            threshold = self._run.part_threshold_bytes
        announcement = read_announcement(
            document,
            owner=owner,
            part_threshold_bytes=threshold,
            part_bytes=self._run.part_size_bytes,
            now=self.clock.now(),
        )
        found = await self._reserve(announcement.file, announcement.may_rename, to)
        if isinstance(found, Reservation) and found.part_bytes and found.store_upload_id is None:
            found = await self._begin_parts(found, to.store)
        return found

    async def _reserve(
        self, file: Announced, may_rename: bool, to: OpenDestination
    ) -> Reservation | StoredUpload:
        now, path = self.clock.now(), file.folder + file.name

        def reserve(manifest: Manifest) -> Reservation | StoredUpload | int | None:
            size = manifest.reservations.size_of(file.digest)
            if size not in (None, file.size_bytes):
                return size
            return manifest.reservations.reserve(
                file,
                NewReservation(
                    self._new_id(),
                    destination_id=to.row.id,
                    key=key_for(to.store.prefix, path, file.digest, self.upload.layout),
                    created_at=now,
                    expires_at=now + RESERVED_SECONDS,
                ),
                spare=spare_key,
                may_rename=may_rename,
            )

        found = await self.manifest.write(reserve)
        if isinstance(found, int):
            raise UsageError(f"size_bytes: the content with this digest has {found:,} bytes")
        if found is None:
            raise KeyTaken(f"{path} is another file")
        return found

    async def _begin_parts(self, one: Reservation, store: PartStore) -> Reservation:
        upload_id = await self.tries(
            lambda: store.begin_parts(one.key, digest=one.digest, attributes=self.attributes(one))
        )
        is_first = await self.manifest.write(
            lambda manifest: manifest.reservations.begin_parts(one.id, upload_id)
        )
        if not is_first:
            await self.tries(lambda: store.abort_parts(one.key, upload_id))
        return await self.find(one.id, one.owner)

    async def find(self, upload_id: str, owner: str | None) -> Reservation:
        """The upload of this owner; None: of anybody. Raises UploadUnknown."""
        found = await self.manifest.read(lambda reader: reader.reservations.get(upload_id))
        if found is None or owner not in (None, found.owner):
            raise UploadUnknown("there is no such upload: announce the file again")
        return found

    def attributes(self, one: Reservation) -> Attributes:
        """What the object carries beside its bytes."""
        return attributes_for(one.name, one.modified_ns, one.media_type, self.upload.extras)

    # URLs -----------------------------------------------------------------------------------

    async def sign(self, one: Reservation) -> SignedURL:
        """A URL for the whole content. One of the server's own is a path below /api/v1. Raises
        UsageError for an upload in parts, and StoreError."""
        if one.part_bytes is not None:
            raise UsageError("this upload is sent in parts: ask for the URL of a part")
        store = (await self.destination()).store
        if not isinstance(store, SignsURLs):
            return self._own_url(one, 0)
        return await store.sign_put(
            one.key,
            size_bytes=one.size_bytes,
            digest=one.digest,
            attributes=self.attributes(one),
            seconds=URL_SECONDS,
        )

    async def sign_part(self, one: Reservation, number: int, digest: Digest | None) -> SignedURL:
        """A URL for one part; with a digest, for these bytes only. Raises as `sign` does."""
        if not 1 <= number <= one.parts:
            raise UsageError(f"part {number}: this upload has {one.parts} parts")
        store = (await self.destination()).store
        if one.store_upload_id is None:  # its key turned out to be taken
            one = await self._begin_parts(one, store)
        if not isinstance(store, SignsURLs):
            return self._own_url(one, number)
        assert one.store_upload_id is not None
        return await store.sign_part(
            one.key,
            one.store_upload_id,
            number,
            size_bytes=part_size(one, number),
            digest=digest,
            seconds=URL_SECONDS,
        )

    def _own_url(self, one: Reservation, number: int) -> SignedURL:
        expires_at = int(self.clock.now()) + URL_SECONDS
        path = self.own_urls.sign(one.id, number, expires_at)
        return SignedURL("PUT", path, {"content-type": one.media_type}, float(expires_at))

    async def receive(self, one: Reservation, number: int, body: bytes) -> str:
        """Store what was sent to one of the server's own URLs; its ETag. Raises KeyTaken,
        SourceChanged for other bytes than were announced, and StoreError."""
        store = (await self.destination()).store
        if number:
            if one.store_upload_id is None:
                raise ObjectMissing("the upload has no parts any more")
            part = await store.put_part(
                one.key, one.store_upload_id, number, body, digest=digest_of(body)
            )
            return part.etag
        await store.put(
            one.key, body, digest=one.digest, attributes=self.attributes(one), exclusive=True
        )
        return f'"{one.digest}"'

    # Parts, and the end -----------------------------------------------------------------------

    async def parts(self, one: Reservation) -> list[Part]:
        """The parts that the store has, by number. Raises StoreError."""
        store, upload_id = (await self.destination()).store, one.store_upload_id
        if upload_id is None:
            return []
        try:
            return await self.tries(lambda: store.list_parts(one.key, upload_id))
        except ObjectMissing:
            return []

    async def give_up(self, one: Reservation) -> None:
        """Remove what was sent, and forget the upload and its key. Raises StoreError."""
        await give_up((await self.destination()).store, one, self.manifest)

    async def clean_if_due(self) -> None:
        """Give up the uploads that have expired, unless that was done in the last ten minutes."""
        now = self.clock.monotonic()
        if now < self._clean_at:
            return
        self._clean_at = now + EVERY_SECONDS
        to = await self.destination()
        await give_up_expired(to.store, to.row.id, self.manifest, now=self.clock.now())

    async def clean_regularly(self) -> None:
        """Give up what expires while nobody announces anything, until cancelled. Trouble is tried
        again; the destination is opened only where something has expired."""
        while True:
            await self.clock.sleep(EVERY_SECONDS)
            now = self.clock.now()
            with suppress(BulkupError):
                if await self.manifest.read(lambda reader: reader.reservations.has_expired(now)):  # noqa: B023 - called at once
                    await self.clean_if_due()

    async def close(self) -> None:
        """Close the connections to the destination."""
        if self._opened is not None:
            await self._opened.store.close()


def part_size(one: Reservation, number: int) -> int:
    """The size of a part in bytes; the last one may be smaller than the others."""
    assert one.part_bytes is not None
    return min(one.part_bytes, one.size_bytes - (number - 1) * one.part_bytes)
