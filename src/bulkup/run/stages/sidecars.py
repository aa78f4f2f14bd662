"""Reads the XMP sidecars that are new or have changed, once the pictures are processed.

What they say belongs to a file, not to its content, and costs no variant: so it is no work of the
process stage, but follows it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from bulkup.content.picture.facts.takeout import completed
from bulkup.content.picture.types import PictureFacts
from bulkup.content.reading import is_member
from bulkup.errors import ItemError
from bulkup.manifest.files.sidecars import SidecarFile, UnreadSidecars
from bulkup.process.task import SIDECAR_MODULES, SidecarTask, read_sidecars
from bulkup.process.worker_pool import Workers
from bulkup.run.job import JobContext

BATCH: Final = 100
SIDECAR_BYTES: Final = 4 << 20
"""No packet that a person or a camera wrote is larger."""


async def read_unread_sidecars(job: JobContext) -> None:
    """Read until no sidecar is left unread, or until the job is stopped.

    Raises DestinationError when a sidecar that is not on this machine cannot be fetched.
    """
    context, sidecars = job.run, job.run.manifest.sidecars
    takeout = job.run.manifest.takeout
    if not await context.call(sidecars.has_unread):
        return
    async with Workers(1, modules=SIDECAR_MODULES) as workers:
        while not job.stop.is_set:
            found = await context.call(sidecars.unread, job.destination_id, limit=BATCH)
            if not found:
                return
            to_read = [one for one in found if not one.is_known]
            tasks = [SidecarTask(one.name, one.facts, await _packets(job, one)) for one in to_read]
            try:
                read = await workers.run(read_sidecars, tasks)
            except ItemError:  # hostile packets: one by one, so that others are read
                read = [await _read_alone(workers, task) for task in tasks]
            notes = [await context.call(takeout.note_of, one.asset_id) for one in to_read]
            read = [
                completed(one.name, one.facts, facts, note)
                for one, facts, note in zip(to_read, read, notes, strict=True)
            ]
            await context.call(
                sidecars.record,
                [(one.asset_id, facts) for one, facts in zip(to_read, read, strict=True)],
                kept=[one.asset_id for one in found if one.is_known],
            )


async def _read_alone(workers: Workers, task: SidecarTask) -> PictureFacts | None:
    with suppress(ItemError):
        return (await workers.run(read_sidecars, [task]))[0]
    return None


async def _packets(job: JobContext, one: UnreadSidecars) -> tuple[bytes, ...]:
    found = [await _packet(job, one, file) for file in one.files]
    return tuple(packet for packet in found if packet is not None)


async def _packet(job: JobContext, one: UnreadSidecars, file: SidecarFile) -> bytes | None:
    """The sidecar's bytes, from this machine or from the destination."""
    if not is_member(one.folder):
        path = f"{one.root.rstrip('/')}/{one.folder}{file.name}"
        with suppress(OSError):
            return await asyncio.to_thread(_beginning_of, path)
    if file.key is not None:
        with suppress(ItemError):
            return await job.requests.read(file.key, SIDECAR_BYTES)
    return None


def _beginning_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(SIDECAR_BYTES)
