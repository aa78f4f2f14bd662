"""The end of uploads that nobody completes: parts and objects are removed, keys are free again."""

from __future__ import annotations

from bulkup.errors import ObjectMissing, StoreError
from bulkup.manifest.uploads.rows import Reservation
from bulkup.operations.uploads.destination import ManifestAccess
from bulkup.stores.store import PartStore

EVERY_SECONDS = 600.0


async def give_up(store: PartStore, one: Reservation, manifest: ManifestAccess) -> None:
    """Remove what was sent of an upload, and forget it and its key. One that is done is forgotten
    only. Raises StoreError."""
    if not one.is_done:
        if one.store_upload_id is not None:
            await store.abort_parts(one.key, one.store_upload_id)
        is_only = await manifest.read(lambda reader: reader.reservations.is_only_user(one))
        if is_only:
            await _remove(store, one)
    await manifest.write(lambda manifest: manifest.reservations.drop(one))


async def _remove(store: PartStore, one: Reservation) -> None:
    """Remove the object that was sent and never recorded."""
    try:
        info = await store.head(one.key)
    except ObjectMissing:
        return
    if info.digest == one.digest:
        await store.delete(one.key)


async def give_up_expired(
    store: PartStore, destination_id: int, manifest: ManifestAccess, *, now: float
) -> int:
    """Give up the uploads to a destination that have expired; returns how many. What the store
    refuses stays for the next time."""
    expired = await manifest.read(
        lambda reader: reader.reservations.expired(now, destination_id=destination_id)
    )
    given_up = 0
    for one in expired:
        try:
            await give_up(store, one, manifest)
        except StoreError:
            continue
        given_up += 1
    return given_up
