"""What nobody needs any more, at one destination and in the manifest: found, then removed.

The rules, so that no other machine's work is harmed:
- a multipart upload that this manifest began goes once its content is not to be sent any more;
- one that this manifest does not know goes when it is older than a day and lies below the
  destination's prefix: who is still at it after a day is not expected to be;
- a temporary file in a directory goes when nothing was written to it for a day;
- a key that is reserved and was never filled is freed when its content is not to be sent any more.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field

from bulkup.manifest.leftovers import Leftovers
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.runs import Destination, Runs
from bulkup.stores.directory import DirectoryStore
from bulkup.stores.store import PartStore

DAY_SECONDS = 86_400.0
"""How old what is not ours must be."""


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """A multipart upload that nobody will finish. `item_id` is None for one that is not ours."""

    key: str
    upload_id: str
    begun_at: float
    item_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rubbish:
    """What can be removed of one destination. `files` are (path, size in bytes)."""

    uploads: list[OpenUpload] = field(default_factory=list)
    reservations: list[str] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.uploads or self.reservations or self.files)


async def find(
    runs: Runs, leftovers: Leftovers, destination: Destination, store: PartStore, *, now: float
) -> Rubbish:
    """Look, and change nothing. Raises DestinationError and StoreError."""
    ours = [
        OpenUpload(key, upload_id, begun_at, item_id)
        for item_id, key, upload_id, begun_at in runs.abandoned_uploads(destination.id)
    ]
    known = {upload.upload_id for upload in ours}
    is_directory = isinstance(store, DirectoryStore)
    if not is_directory or os.path.isdir(store.url):  # noqa: ASYNC240 - one system call
        await store.check()
    foreign = [
        OpenUpload(key, upload_id, begun_at)
        async for page in store.list_uploads(store.prefix)
        for key, upload_id, begun_at in page
        if upload_id not in known and begun_at < now - DAY_SECONDS
    ]
    # Asked after the listing: an upload that is recorded by now is somebody's.
    wanted = runs.wanted_uploads(destination.id)
    files = []
    if isinstance(store, DirectoryStore):
        files = await store.leftovers(before=now - DAY_SECONDS)
    return Rubbish(
        ours + [upload for upload in foreign if upload.upload_id not in wanted],
        leftovers.reservations(destination.id),
        files,
    )


async def remove(
    manifest: Manifest, destination: Destination, store: PartStore, rubbish: Rubbish
) -> None:
    """Remove what `find` found. May be called again after a failure."""
    for upload in rubbish.uploads:
        await store.abort_parts(upload.key, upload.upload_id)
        if upload.item_id is not None:
            manifest.runs.drop_upload(upload.item_id)
    for path, _ in rubbish.files:
        with suppress(FileNotFoundError):
            os.unlink(path)
    manifest.leftovers.free_reservations(destination.id)
