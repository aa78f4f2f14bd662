"""What nobody needs any more, at one destination and in the manifest: found, then removed.

The rules, so that no other machine's work is harmed:
- a multipart upload that this manifest began goes once its content is not to be sent any more;
- one that this manifest does not know goes when it is older than a day and lies below the
  destination's prefix: who is still at it after a day is not expected to be;
- a temporary file in a directory goes when nothing was written to it for a day;
- a key that is reserved and was never filled is freed when its content is not to be sent any more;
- a variant goes when the destination has no content of its digest, when its picture is settled and
  the manifest has no row of it, or when its name is no setting any more
  (GarbageCollection.removal_reason); it must be older than a day, since a run may have stored it
  and not yet recorded it. Variants of contents whose files are all gone stay, as their originals
  do. While others keep objects at the destination that the manifest does not know, or it is known
  under another name as well, no variant goes: it may be theirs.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from bulkup.manifest.destinations import Destination, Destinations
from bulkup.manifest.garbage import DAY_SECONDS, GarbageCollection, RemovalReason
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.multipart_uploads import MultipartUploads
from bulkup.model import Digest, ObjectInfo
from bulkup.operations.shared_prefix import Overlap, overlapping, same_place
from bulkup.run.store_reader import INTERNAL
from bulkup.stores.directory.store import DirectoryStore
from bulkup.stores.store import PartStore

_VARIANT = re.compile(r"[a-z][a-z0-9_-]{0,31}/([0-9a-f]{2})/(\1[0-9a-f]{62})\.[a-z0-9]+")
"""Below INTERNAL: process.variants.variant_key."""

_AT_ONCE = 16
"""Variants removed together."""


@dataclass(frozen=True, slots=True)
class AbandonedUpload:
    """A multipart upload that nobody will finish. `item_id` is None for one that is not ours."""

    key: str
    upload_id: str
    begun_at: float
    item_id: int | None = None


@dataclass(frozen=True, slots=True)
class OrphanVariant:
    """A variant that can go. `owner` is the digest of the content that it is, or was, of."""

    key: str
    size_bytes: int
    owner: Digest
    why: RemovalReason


@dataclass(frozen=True, slots=True)
class Garbage:
    """What can be removed of one destination. `files` are (path, size in bytes).

    `shared_by` says who else keeps things there, a key or a URL: then variants that look useless
    were found, and none is in `variants`.
    """

    uploads: list[AbandonedUpload] = field(default_factory=list)
    reservations: list[str] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)
    variants: list[OrphanVariant] = field(default_factory=list)
    shared_by: str | None = None


async def find(
    destinations: Destinations,
    uploads: MultipartUploads,
    leftovers: GarbageCollection,
    destination: Destination,
    store: PartStore,
    *,
    names: Iterable[str],
    now: float,
) -> Garbage:
    """Look, and change nothing. `names` are those of the variants that the settings want. Raises
    DestinationError and StoreError."""
    ours = [
        AbandonedUpload(key, upload_id, begun_at, item_id)
        for item_id, key, upload_id, begun_at in uploads.abandoned_uploads(destination.id)
    ]
    known = {upload.upload_id for upload in ours}
    is_directory = isinstance(store, DirectoryStore)
    if not is_directory or os.path.isdir(store.url):  # noqa: ASYNC240 - one system call
        await store.check()
    foreign = [
        AbandonedUpload(key, upload_id, begun_at)
        async for page in store.list_uploads(store.prefix)
        for key, upload_id, begun_at in page
        if upload_id not in known and begun_at < now - DAY_SECONDS
    ]
    # Asked after the listing: an upload that is recorded by now is somebody's.
    wanted = uploads.wanted_uploads(destination.id)
    files = []
    if isinstance(store, DirectoryStore):
        files = await store.leftovers(before=now - DAY_SECONDS)
    variants = await _orphan_variants(leftovers, destination.id, store, names, now)
    shared_by = None
    if variants:
        shared_by = await _others(leftovers, destination, destinations.all(), store)
    return Garbage(
        ours + [upload for upload in foreign if upload.upload_id not in wanted],
        leftovers.reservations(destination.id),
        files,
        [] if shared_by else variants,
        shared_by,
    )


async def _orphan_variants(
    leftovers: GarbageCollection,
    destination_id: int,
    store: PartStore,
    names: Iterable[str],
    now: float,
) -> list[OrphanVariant]:
    """In the order of their keys, whoever may own them."""
    retired = leftovers.retired_names(destination_id, names)
    place = store.prefix + INTERNAL
    found = []
    async for page in store.list(place):
        for info in page:
            match = _VARIANT.fullmatch(info.key, len(place))
            if match is None or not _is_old(info, now):
                continue
            owner = Digest(match[2])
            why = leftovers.removal_reason(destination_id, info.key, owner, retired)
            if why is not None:
                found.append(OrphanVariant(info.key, info.size_bytes, owner, why))
    return found


def _is_old(info: ObjectInfo, now: float) -> bool:
    return info.modified_at is not None and info.modified_at < now - DAY_SECONDS


async def _others(
    leftovers: GarbageCollection,
    destination: Destination,
    destinations: list[Destination],
    store: PartStore,
) -> str | None:
    """Who else keeps things at the destination: its other URL, or a key that nobody knows."""
    twins = same_place(destination, destinations) or [
        other for other in destinations if _is_same_directory(destination, other)
    ]
    if twins:
        return twins[0].url
    kin = overlapping(destination, destinations)
    async for page in store.list(store.prefix):
        keys = [info.key for info in page if not info.key.startswith(store.prefix + INTERNAL)]
        strange = _strange(leftovers, destination.id, kin, keys)
        if strange:
            return strange[0]
    return None


def _is_same_directory(one: Destination, other: Destination) -> bool:
    """Whether two directories are one, by links or mounts."""
    if one.id == other.id:
        return False
    try:
        return os.path.samefile(one.url, other.url)
    except OSError:
        return False


def _strange(
    leftovers: GarbageCollection, destination_id: int, kin: list[Overlap], keys: list[str]
) -> list[str]:
    """Those of the keys that have no row, here or at a destination that shares the place."""
    strange = leftovers.unknown_keys(destination_id, keys)
    for one in kin:
        theirs = {key: one.key(key) for key in strange if not one.is_internal(key)}
        named = [their for their in theirs.values() if their is not None]
        unknown = set(leftovers.unknown_keys(one.destination_id, named))
        strange = [key for key, their in theirs.items() if their is None or their in unknown]
    return strange


async def remove(
    manifest: Manifest,
    destination: Destination,
    store: PartStore,
    rubbish: Garbage,
    *,
    names: Iterable[str],
) -> None:
    """Remove what `find` found. May be called again after a failure."""
    for upload in rubbish.uploads:
        await store.abort_parts(upload.key, upload.upload_id)
        if upload.item_id is not None:
            manifest.multipart_uploads.drop_upload(upload.item_id)
    for path, _ in rubbish.files:
        with suppress(FileNotFoundError):
            os.unlink(path)
    manifest.garbage.free_reservations(destination.id)
    await _remove_variants(manifest.garbage, destination.id, store, rubbish.variants, names)


async def _remove_variants(
    leftovers: GarbageCollection,
    destination_id: int,
    store: PartStore,
    variants: list[OrphanVariant],
    names: Iterable[str],
) -> None:
    """First the rows: a variant without one is found again, a row without its variant is missed.

    Each is asked about once more: a run may have adopted it meanwhile.
    """
    retired = leftovers.retired_names(destination_id, names)
    for start in range(0, len(variants), _AT_ONCE):
        keys = [
            variant.key
            for variant in variants[start : start + _AT_ONCE]
            if leftovers.removal_reason(destination_id, variant.key, variant.owner, retired)
            is not None
        ]
        leftovers.drop_variants(destination_id, keys)
        await asyncio.gather(*(store.delete(key) for key in keys))
