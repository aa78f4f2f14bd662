"""Objects that clients of `bulkup serve` sent in parts are read whole, once, before they are
processed: only then is their digest more than what the client said."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from bulkup.errors import ItemError, ObjectMissing, ObjectWrong
from bulkup.manifest.rows import WorkItem
from bulkup.model import Digest
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.run.job import JobContext
from bulkup.run.store_requests import chunks_of

REFUTED = "other bytes arrived than were announced; the object was removed: upload the file again"
GONE = "the object was removed before anybody had read it: upload the file again"


async def prove_uploads(job: JobContext, items: Sequence[WorkItem]) -> dict[int, ItemError]:
    """Read the objects of these items that nobody has read yet. What has another digest is removed,
    and is among the errors that are returned, by item. Raises DestinationError."""
    call, proofs, to = job.run.call, job.run.manifest.proofs, job.destination_id
    unproved = await call(proofs.unproved, [item.content_id for item in items], to)
    refuted: dict[int, ItemError] = {}
    for item in items:
        key = unproved.get(item.content_id)
        if key is None or item.digest is None:
            continue
        try:
            found = await _digest(job, key, item.size_bytes)
        except ObjectMissing:  # for instance removed below by a run that was killed right then
            error = ObjectWrong(GONE)
        else:
            if found == item.digest:
                await call(proofs.prove, item.content_id, to)
                continue
            await job.requests.ask(partial(job.requests.store.delete, key))
            error = ObjectWrong(REFUTED)
        now = job.run.clock.now()
        await call(proofs.refute, item.content_id, to, error=str(error), now=now)
        refuted[item.item_id] = error
    return refuted


async def _digest(job: JobContext, key: str, size_bytes: int) -> Digest:
    async def read() -> Digest:
        found = sha256()
        async for chunk in chunks_of(job.requests.store, key):
            found.update(chunk)
        return Digest(found.hexdigest())

    return await job.requests.tries(read, size_bytes, CONTROL_TRIES)
