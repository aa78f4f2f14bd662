"""Garbage collection: what nobody needs any more, at one destination, is found and then removed.

The rules, so that no other machine's work is harmed:
- a multipart upload that this manifest began goes once its content is not to be sent any more;
- one that this manifest does not know goes when it is older than a day and lies below the
  destination's prefix: nobody is expected to be still sending it;
- an upload that a client of `bulkup serve` did not complete within a day goes, with its object;
- a temporary file in a directory goes when nothing was written to it for a day;
- a key that is reserved and was never filled is freed when its content is not to be sent any more;
- a copy of a manifest goes when it is older than a day and not among the newest five of its host;
- a variant goes when the destination has no content of its digest, when its picture is settled and
  the manifest has no row of it, or when no setting has its name any more (see
  GarbageCollection.removal_reason). It must be older than a day, since a run may have stored it
  and not yet recorded it. Variants of contents whose files are all gone stay, as their originals
  do. No variant goes while the destination holds objects that the manifest does not know, or is
  known under another URL as well: it may belong to another manifest.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bulkup.manifest.destinations import Destination
from bulkup.manifest.garbage import DAY_SECONDS, GarbageCollection, RemovalReason
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.model import Digest, ObjectInfo
from bulkup.operations.checks.old_copies import old_copies
from bulkup.operations.destination.shared_prefix import Overlap, overlapping, same_place
from bulkup.operations.uploads.expiry import give_up_expired
from bulkup.run.store_reader import INTERNAL
from bulkup.stores.directory.store import DirectoryStore
from bulkup.stores.store import PartStore

T = TypeVar("T")

_VARIANT = re.compile(r"[a-z][a-z0-9_-]{0,31}/([0-9a-f]{2})/(\1[0-9a-f]{62})\.[a-z0-9]+")
"""Below INTERNAL: process.task.variant_key."""

_AT_ONCE = 16
"""Variants removed together."""


@dataclass(frozen=True, slots=True)
class AbandonedUpload:
    """A multipart upload that nobody will finish. `item_id` is None when it is not ours."""

    key: str
    upload_id: str
    begun_at: float
    item_id: int | None = None


@dataclass(frozen=True, slots=True)
class OrphanVariant:
    """A variant that can go. `owner` is the digest of the content that it was made from."""

    key: str
    size_bytes: int
    owner: Digest
    why: RemovalReason


@dataclass(frozen=True, slots=True)
class Garbage:
    """What can be removed of one destination. `files` are (path, size in bytes), `copies` of the
    manifest (key, size in bytes), `expired` the paths of uploads that clients of `bulkup serve` did
    not complete within a day.

    `shared_by` is the key or URL that shows another user of the destination. Then there are
    orphan variants, but none of them is in `variants`.
    """

    uploads: list[AbandonedUpload] = field(default_factory=list)
    reservations: list[str] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)
    variants: list[OrphanVariant] = field(default_factory=list)
    copies: list[tuple[str, int]] = field(default_factory=list)
    shared_by: str | None = None
    expired: list[str] = field(default_factory=list)


async def find(
    manifest: Manifest | Reader,
    destination: Destination,
    store: PartStore,
    *,
    names: Iterable[str],
    now: float,
) -> Garbage:
    """The garbage of one destination; changes nothing. `names` are the variants in the settings.

    Raises DestinationError, StoreError and ManifestError.
    """
    await _check(store)
    uploads = await _abandoned_uploads(manifest, destination, store, now)
    files = []
    if isinstance(store, DirectoryStore):
        files = await store.leftovers(before=now - DAY_SECONDS)
    variants = await _orphan_variants(manifest.garbage, destination.id, store, names, now)
    shared_by = await _other_user(manifest, destination, store) if variants else None
    return Garbage(
        uploads,
        manifest.garbage.reservations(destination.id),
        files,
        [] if shared_by else variants,
        await old_copies(store, before=now - DAY_SECONDS),
        shared_by,
        [
            f"{one.owner}: {one.path}"
            for one in manifest.reservations.expired(now, destination_id=destination.id)
            if not one.is_done
        ],
    )


async def _check(store: PartStore) -> None:
    """Raise DestinationError unless the destination is there; unlike its own check, this makes
    nothing in a directory."""
    if not isinstance(store, DirectoryStore):
        await store.check()
    elif store.holds_objects and os.path.isdir(store.url):  # noqa: ASYNC240 - one system call
        store.look()


async def _abandoned_uploads(
    manifest: Manifest | Reader, destination: Destination, store: PartStore, now: float
) -> list[AbandonedUpload]:
    uploads = manifest.multipart_uploads
    ours = [
        AbandonedUpload(key, upload_id, begun_at, item_id)
        for item_id, key, upload_id, begun_at in uploads.abandoned_uploads(destination.id)
    ]
    known = {upload.upload_id for upload in ours}
    foreign = [
        AbandonedUpload(key, upload_id, begun_at)
        async for page in store.list_uploads(store.prefix)
        for key, upload_id, begun_at in page
        if upload_id not in known and begun_at < now - DAY_SECONDS
    ]
    # Asked after the listing: an upload that is recorded by now belongs to a run.
    wanted = uploads.wanted_uploads(destination.id)
    wanted |= manifest.reservations.open_uploads(destination.id)
    return ours + [upload for upload in foreign if upload.upload_id not in wanted]


async def _orphan_variants(
    garbage: GarbageCollection,
    destination_id: int,
    store: PartStore,
    names: Iterable[str],
    now: float,
) -> list[OrphanVariant]:
    """In the order of their keys, whoever may own them."""
    retired = garbage.retired_names(destination_id, names)
    internal = store.prefix + INTERNAL
    found = []
    async for page in store.list(internal):
        for info in page:
            match = _VARIANT.fullmatch(info.key, len(internal))
            if match is None or not _is_old(info, now):
                continue
            owner = Digest(match[2])
            why = garbage.removal_reason(destination_id, info.key, owner, retired)
            if why is not None:
                found.append(OrphanVariant(info.key, info.size_bytes, owner, why))
    return found


def _is_old(info: ObjectInfo, now: float) -> bool:
    return info.modified_at is not None and info.modified_at < now - DAY_SECONDS


async def _other_user(
    manifest: Manifest | Reader, destination: Destination, store: PartStore
) -> str | None:
    """Another URL of the same destination, or a key there that the manifest does not know."""
    destinations = manifest.destinations.all()
    twins = same_place(destination, destinations) or [
        other for other in destinations if _is_same_directory(destination, other)
    ]
    if twins:
        return twins[0].url
    overlaps = overlapping(destination, destinations)
    async for page in store.list(store.prefix):
        keys = [info.key for info in page if not info.key.startswith(store.prefix + INTERNAL)]
        unknown = _unknown_keys(manifest.garbage, destination.id, overlaps, keys)
        if unknown:
            return unknown[0]
    return None


def _is_same_directory(one: Destination, other: Destination) -> bool:
    """Whether two directories are one, by links or mounts."""
    if one.id == other.id:
        return False
    try:
        return os.path.samefile(one.url, other.url)
    except OSError:
        return False


def _unknown_keys(
    garbage: GarbageCollection, destination_id: int, overlaps: list[Overlap], keys: list[str]
) -> list[str]:
    """Those of the keys that have no row, neither here nor at an overlapping destination."""
    unknown = garbage.unknown_keys(destination_id, keys)
    for overlap in overlaps:
        theirs = {key: overlap.key(key) for key in unknown if not overlap.is_internal(key)}
        inside = [their for their in theirs.values() if their is not None]
        not_theirs = set(garbage.unknown_keys(overlap.destination_id, inside))
        unknown = [key for key, their in theirs.items() if their is None or their in not_theirs]
    return unknown


async def remove(
    manifest: Manifest,
    destination: Destination,
    store: PartStore,
    garbage: Garbage,
    *,
    names: Iterable[str],
    now: float,
) -> None:
    """Remove what `find` found. May be called again after a failure."""
    await give_up_expired(store, destination.id, _Direct(manifest), now=now)
    for upload in garbage.uploads:
        await store.abort_parts(upload.key, upload.upload_id)
        if upload.item_id is not None:
            manifest.multipart_uploads.drop_upload(upload.item_id)
    if isinstance(store, DirectoryStore):
        for path, _ in garbage.files:
            await store.remove_leftover(path)
    manifest.garbage.free_reservations(destination.id)
    for key, _ in garbage.copies:
        await store.delete(key)
        manifest.copies.remove(destination.id, key)
    await _remove_variants(manifest.garbage, destination.id, store, garbage.variants, names)


class _Direct:
    """The manifest, asked in the event loop's own thread: nobody else waits for that."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    async def read(self, function: Callable[[Any], T]) -> T:
        return function(self._manifest)

    async def write(self, function: Callable[[Any], T]) -> T:
        return function(self._manifest)


async def _remove_variants(
    garbage: GarbageCollection,
    destination_id: int,
    store: PartStore,
    variants: list[OrphanVariant],
    names: Iterable[str],
) -> None:
    """The rows first: a variant without a row is found again, a row without its variant would be
    reported as missing.

    Each is checked once more: a run may have adopted it meanwhile.
    """
    retired = garbage.retired_names(destination_id, names)
    for start in range(0, len(variants), _AT_ONCE):
        keys = [
            variant.key
            for variant in variants[start : start + _AT_ONCE]
            if garbage.removal_reason(destination_id, variant.key, variant.owner, retired)
            is not None
        ]
        garbage.drop_variants(destination_id, keys)
        await asyncio.gather(*(store.delete(key) for key in keys))
