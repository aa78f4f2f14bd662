"""The copies of the manifest at a destination, as `verify` checks them."""

from __future__ import annotations

from collections.abc import Callable

from bulkup.errors import ObjectMissing, StoreError
from bulkup.manifest.copies import SentCopy
from bulkup.manifest.verification import StoredObject
from bulkup.operations.checks.objects import Mismatch, check_head, check_size
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.store_reader import StoreReader


async def verify_copies(
    async_manifest: AsyncManifest,
    reader: StoreReader,
    destination_id: int,
    *,
    reads_bytes: bool,
    report: Callable[[str, Mismatch], None],
) -> None:
    """Check each copy by a HEAD, or by its bytes; `report` gets the keys that are not right.

    A copy that is missing or different is forgotten, and the next run sends a new one.
    """
    copies = async_manifest.manifest.copies
    for sent in await async_manifest.call(copies.sent, destination_id):
        mismatch = await _mismatch(reader, sent, reads_bytes=reads_bytes)
        if mismatch is None:
            continue
        if mismatch.finding != "unchecked":
            await async_manifest.call(copies.remove, destination_id, sent.key, is_bad=True)
        report(sent.key, mismatch)


async def _mismatch(reader: StoreReader, sent: SentCopy, *, reads_bytes: bool) -> Mismatch | None:
    wanted = StoredObject(
        sent.key, 0, sent.digest, sent.size_bytes, None, None, sent.sent_at, "manifest"
    )
    try:
        info = await reader.head(sent.key)
        mismatch = check_size(wanted, info.size_bytes)
        found = mismatch or ("undecided" if reads_bytes else check_head(wanted, info))
        if found != "undecided":
            return found
        digest, _ = await reader.read(sent.key, sent.size_bytes)
    except ObjectMissing:
        return Mismatch("missing", "no object has this key; the next run sends a new copy")
    except StoreError as error:
        return Mismatch("unchecked", str(error))
    if digest == sent.digest:
        return None
    return Mismatch("different", f"its bytes have another SHA-256, {digest}")
