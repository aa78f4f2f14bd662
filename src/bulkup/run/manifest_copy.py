"""A copy of the manifest beside the objects: `.bulkup/manifest/<host>/<time>.db.zst`.

It is made after a run, when the objects are there: first objects, then the copy. Its key is written
once and never replaced, so that two hosts, or two manifests of one host, do not harm each other.
The newest five copies of this manifest are kept. Nothing of this fails a run.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from datetime import UTC, datetime
from typing import Final

from bulkup.errors import BulkupError, KeyTaken, ManifestError, StoreError, StoreForbidden
from bulkup.events import Notice
from bulkup.manifest.copies import SentCopy
from bulkup.manifest.database.scratch import scratch_folder
from bulkup.manifest.destinations import Destination
from bulkup.model import Attributes, Digest
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.run.context import RunContext
from bulkup.run.store_reader import INTERNAL
from bulkup.run.store_requests import StoreRequests
from bulkup.settings.copy_options import ManifestCopyOptions
from bulkup.stores.store import PartStore
from bulkup.stores.urls import is_broker

FOLDER: Final = INTERNAL + "manifest/"
"""Below the destination's prefix."""

KEPT: Final = 5
_NAMES: Final = 10
"""Seconds that are tried for a name: another manifest of this host may have taken one."""

_PART_BYTES: Final = 32 * 1024 * 1024
_ENDING: Final = ".db.zst"
COPY_KEY: Final = r"([\w.-]+)/(\d{8}T\d{6}Z)\.db\.zst"
"""A pattern: host and time, in what follows `FOLDER`."""


def host_name() -> str:
    """This machine's name, as keys contain it."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()).strip(".") or "unknown"


def copy_key(prefix: str, host: str, seconds: float) -> str:
    """The key of a copy that was made then."""
    moment = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{prefix}{FOLDER}{host}/{moment}{_ENDING}"


def copier_for(
    context: RunContext, destination: Destination, requests: StoreRequests
) -> ManifestCopier | None:
    """What makes copies there; None where the run makes none. None goes to a `bulkup serve`, which
    has a manifest of its own."""
    if context.manifest_copy is None or is_broker(destination.url):
        return None
    return ManifestCopier(context, context.manifest_copy, destination, requests)


class ManifestCopier:
    """Sends copies of one run's manifest to one destination."""

    def __init__(
        self,
        context: RunContext,
        options: ManifestCopyOptions,
        destination: Destination,
        requests: StoreRequests,
    ) -> None:
        self._context = context
        self._copies = context.manifest.copies
        self._options = options
        self._destination = destination
        self._requests = requests
        self._is_listed: bool | None = None  # what a listing shows; None: not looked yet

    async def look_ahead(self) -> None:
        """Look at the listing while the last uploads are in flight, where a copy will be due."""
        try:
            if await self._is_due(has_changed=True):
                await self._look()
        except (BulkupError, OSError):
            pass  # `copy_if_due` meets it again

    async def copy_if_due(self, *, has_changed: bool) -> None:
        """Send a copy when the manifest has changed and the last copy is old enough."""
        try:
            if await self._is_due(has_changed=has_changed):
                await self._copy()
        except ManifestError:
            raise
        except (BulkupError, OSError) as error:
            self._notice(str(error))

    async def _is_due(self, *, has_changed: bool) -> bool:
        every, call = self._options.every_seconds, self._context.call
        if every is None:
            return False
        if has_changed:
            await call(self._copies.mark_due, self._destination.id)
        before = self._context.clock.now() - every
        return await call(self._copies.is_due, self._destination.id, sent_before=before)

    async def _look(self) -> str | None:
        """The key of a stored object, after a look whether a listing shows it: `restore` finds
        copies by listings. None where nothing is stored."""
        stored = await self._context.call(self._copies.stored_key, self._destination.id)
        if stored is not None and self._is_listed is None:
            store = self._requests.store
            self._is_listed = await self._requests.ask(lambda: _is_listed(store, stored))
        return stored

    def _notice(self, why: str) -> None:
        message = f"The manifest was not copied to {self._destination.url}: {why}"
        self._context.emit(Notice(message, is_error=True))

    async def _copy(self) -> None:
        destination = self._destination
        stored = await self._look()
        if stored is None:
            return
        if not self._is_listed:
            self._notice(f"its listing does not show the object {stored}")
            await self._context.call(self._copies.unmark_due, destination.id)
            return
        with scratch_folder(self._context.manifest.path) as scratch:
            path = f"{scratch}/manifest{_ENDING}"
            digest, size_bytes = await asyncio.to_thread(self._make, scratch, path)
            key = await self._send(path, digest, size_bytes)
        sent = SentCopy(key, digest, size_bytes, self._context.clock.now())
        await self._context.call(self._copies.add, destination.id, sent)
        await self._rotate()

    def _make(self, scratch: str, path: str) -> tuple[Digest, int]:
        from bulkup.content.zstd import compress_file

        plain = f"{scratch}/manifest.db"
        self._copies.make(plain, with_vectors=self._options.with_vectors)
        digest, size_bytes = compress_file(plain, path)
        return Digest(digest), size_bytes

    async def _send(self, path: str, digest: Digest, size_bytes: int) -> str:
        """Store the file under the first name that is free; its key."""
        requests, now = self._requests, self._context.clock.now()
        store = requests.store
        attributes = Attributes("application/zstd", {"name": os.path.basename(path)})
        for later in range(_NAMES):
            key = copy_key(store.prefix, host_name(), now + later)
            try:
                if size_bytes < (store.part_threshold_bytes or size_bytes + 1):
                    body = await asyncio.to_thread(_read, path, 0, size_bytes)
                    await requests.tries(
                        lambda key=key, body=body: store.put(  # type: ignore[misc]  # mypy knows no types of a lambda's defaults
                            key, body, digest=digest, attributes=attributes, exclusive=True
                        ),
                        size_bytes,
                    )
                else:
                    await _send_parts(requests, key, path, digest, attributes)
            except KeyTaken:
                continue
            return key
        raise KeyTaken(f"{_NAMES} names below {store.prefix}{FOLDER} are taken")

    async def _rotate(self) -> None:
        destination, requests = self._destination, self._requests
        try:
            for old in (await self._context.call(self._copies.sent, destination.id))[KEPT:]:
                await requests.ask(lambda old=old: requests.store.delete(old.key))  # type: ignore[misc]  # mypy knows no types of a lambda's defaults
                await self._context.call(self._copies.remove, destination.id, old.key)
        except StoreForbidden:
            pass  # keys that may not delete are a choice: older copies stay, too
        except StoreError as error:
            message = f"An old copy of the manifest was not removed from {destination.url}: {error}"
            self._context.emit(Notice(message, is_error=True))


async def _send_parts(
    requests: StoreRequests, key: str, path: str, digest: Digest, attributes: Attributes
) -> None:
    from hashlib import sha256

    store = requests.store
    upload_id = await requests.ask(
        lambda: store.begin_parts(key, digest=digest, attributes=attributes)
    )
    parts = []
    try:
        for number, start in enumerate(range(0, os.path.getsize(path), _PART_BYTES), start=1):  # noqa: ASYNC240 - once, of a local file
            body = await asyncio.to_thread(_read, path, start, _PART_BYTES)
            found = Digest(sha256(body).hexdigest())
            part = await requests.tries(
                lambda number=number, body=body, found=found: store.put_part(  # type: ignore[misc]  # mypy knows no types of a lambda's defaults
                    key, upload_id, number, body, digest=found
                ),
                len(body),
            )
            parts.append(part)
        await requests.tries(
            lambda: store.complete_parts(key, upload_id, parts, exclusive=True), 0, CONTROL_TRIES
        )
    except StoreError:
        await requests.ask(lambda: store.abort_parts(key, upload_id))
        raise


def _read(path: str, start: int, size_bytes: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(size_bytes)


async def _is_listed(store: PartStore, key: str) -> bool:
    """Whether a listing shows the object."""
    async for page in store.list(key):
        return any(info.key == key for info in page)
    return False
