"""Bring a lost manifest back from the copies that runs sent to the destination."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import NamedTuple

from bulkup.clock import Clock
from bulkup.content.zstd import NotCompressed, decompress_file
from bulkup.errors import ManifestCorrupt, ObjectDamaged, UsageError
from bulkup.manifest.database.scratch import scratch_folder
from bulkup.manifest.manifest import Manifest
from bulkup.run.manifest_copy import COPY_KEY, FOLDER, host_name
from bulkup.run.open_destination import open_known
from bulkup.run.store_reader import StoreReader
from bulkup.run.store_requests import StoreRequests, requests_to
from bulkup.settings.options import RunOptions
from bulkup.stores.urls import canonical


class FoundCopy(NamedTuple):
    """A copy of a manifest at a destination."""

    key: str
    host: str
    made_at: datetime
    size_bytes: int


class Restored(NamedTuple):
    """What was brought back."""

    copy: FoundCopy
    files: int
    unique: int
    roots: tuple[str, ...]


class CopyReader:
    """The copies at one destination. `close` it in the end."""

    def __init__(
        self,
        url: str,
        options: RunOptions,
        environ: Mapping[str, str],
        clock: Clock,
        random: Random,
    ) -> None:
        """Makes no request. Raises UsageError."""
        self.url = canonical(url)
        self._store = open_known(self.url, None, options, environ, clock)
        self._requests: StoreRequests = requests_to(self._store, options, clock, random)

    async def copies(self) -> list[FoundCopy]:
        """All copies, the newest first. Raises DestinationError and StoreError."""
        await StoreReader(self._requests).check()
        folder = self._store.prefix + FOLDER
        found = []
        async for page in self._store.list(folder):
            for info in page:
                if match := re.fullmatch(COPY_KEY, info.key.removeprefix(folder)):
                    moment = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                    found.append(FoundCopy(info.key, match[1], moment, info.size_bytes))
        return sorted(found, key=lambda one: (one.made_at, one.key), reverse=True)

    async def restore(self, copy: FoundCopy, path: str) -> Restored:
        """Make the manifest at `path`, which must be free.

        The copy is checked before the file gets its name: its SHA-256, and SQLite's own checks.
        Raises UsageError when there is a manifest, ObjectDamaged, ManifestError, and as the store.
        """
        require_absent(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with scratch_folder(path) as at:
            packed, plain = f"{at}/manifest.db.zst", f"{at}/manifest.db"
            await self._fetch(copy, packed)
            try:
                await asyncio.to_thread(decompress_file, packed, plain)
            except NotCompressed as error:
                raise ObjectDamaged(f"key {copy.key!r}: it is no copy of a manifest") from error
            restored = await asyncio.to_thread(_examine, copy, plain)
            try:
                os.link(plain, path)
            except FileExistsError:
                require_absent(path)
            except OSError:  # no hard links here
                os.rename(plain, path)
        return restored

    async def _fetch(self, copy: FoundCopy, path: str) -> None:
        info = await self._requests.ask(lambda: self._store.head(copy.key))

        async def fetch() -> str:
            found = sha256()
            with open(path, "wb") as file:  # noqa: ASYNC230 - some megabytes
                async for chunk in self._store.open(copy.key):
                    found.update(chunk)
                    file.write(chunk)
            return found.hexdigest()

        digest = await self._requests.tries(fetch, copy.size_bytes)
        if info.digest not in (None, digest):
            raise ObjectDamaged(f"key {copy.key!r}: its bytes have another SHA-256, {digest}")

    async def close(self) -> None:
        """Close the connections."""
        await self._store.close()


def require_absent(path: str) -> None:
    """Raise UsageError if there is a manifest."""
    if os.path.lexists(path):
        raise UsageError(
            f"there is a manifest already: {path}",
            hint="Move it away, or name another one with --manifest.",
        )


def choose_copy(found: Sequence[FoundCopy], url: str, host: str | None) -> FoundCopy:
    """The newest copy of the host; without one, of this host, else of the only one that there is.

    `found` is sorted, the newest first. Raises UsageError.
    """
    hosts = sorted({one.host for one in found})
    if not hosts:
        raise UsageError(
            f"{url} holds no copy of a manifest",
            hint=f"bulkup rebuild --from {url} makes one from the objects.",
        )
    if host is None:
        host = host_name() if host_name() in hosts else hosts[0] if len(hosts) == 1 else None
    if host not in hosts:
        raise UsageError(
            f"{url} holds copies of several hosts" if host is None else f"no copy of {host}",
            hint=f"Name one with --host: {', '.join(hosts)}.",
        )
    return next(one for one in found if one.host == host)


def _examine(copy: FoundCopy, path: str) -> Restored:
    """Open the file as a manifest, which migrates an older one. Raises ManifestError."""
    with Manifest(path, journal_mode="delete") as manifest:
        damage = manifest.integrity.damage()
        if damage is not None:
            raise ManifestCorrupt(f"the copy {copy.key} is damaged: {damage}")
        status = manifest.reports.status()
        roots = tuple(root.path for root in manifest.pull_queries.roots())
    return Restored(copy, status.assets, status.unique, roots)
