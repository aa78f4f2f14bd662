"""Claimed works to contents that are ready to be sent: read, hashed, registered.

Where there are many small files, a second process does it (`run/aside.py`).
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkup.content.buffers import BufferPool
from bulkup.content.reading import Loaded, Whole, hashed, is_member, read_in_parts, read_whole
from bulkup.errors import ItemError, SourceError
from bulkup.manifest.rows import File, Read, WorkItem
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.ingest.process import IngestProcess, IngestProcessLost
from bulkup.stores.attributes import Extras
from bulkup.stores.keys import Layout, key_for, spare_key
from bulkup.stores.store import RequestSigner

IN_PLACE_BYTES = 256 << 10
"""A smaller file is read in the event loop's thread: a hop to another one costs as much (60 µs)."""

ASIDE_ITEMS = 64
"""So many small files are worth the second process: to open the manifest there takes some
milliseconds of another core, and each file costs this one half of what it would."""

BREATH_ITEMS = 16
"""Read in place without a break; half a millisecond."""

MAX_PARTS = 10_000
"""S3 takes no more parts in one upload (S3 user guide, "Amazon S3 multipart upload limits")."""

PART_STEP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how files go: what naming and registering need to know."""

    destination_id: int
    batch_id: int
    run_id: str
    prefix: str
    layout: Layout
    copies_duplicates: bool
    extras: Extras
    part_threshold_bytes: int | None
    part_size_bytes: int


class ReadyUpload(NamedTuple):
    """A content that is to be sent under `key`, claimed and registered."""

    work: WorkItem
    loaded: Loaded
    key: str
    is_begun: bool = False  # sent before, perhaps with success: nobody was left to say so
    request: bytes | None = None  # that will bring it there
    prepared_at: float = 0.0  # on the monotonic clock

    @property
    def held_bytes(self) -> int:
        """What it holds in memory."""
        return len(self.loaded.body) if self.loaded.body is not None else 0


@dataclass(slots=True)
class LoadedGroup:
    """What became of a group of works."""

    ready: list[ReadyUpload] = field(default_factory=list)
    duplicates: list[Read] = field(default_factory=list)
    failed: list[tuple[WorkItem, ItemError]] = field(default_factory=list)


class Loader:
    """Reads files and registers what was read."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        target: Target,
        buffers: BufferPool,
        *,
        aside: IngestProcess | None,
        request_signer: Callable[[], RequestSigner | None],
        monotonic: Callable[[], float],
    ) -> None:
        """`preparing` is asked before each group: what makes requests ready by now."""
        self._async_manifest = async_manifest
        self._target = target
        self._buffers = buffers
        self._request_signer = request_signer
        self._monotonic = monotonic
        self._small = 0  # small files so far
        self._is_decided = False  # about a second process
        self.aside = aside

    async def load(self, works: list[WorkItem], following: int) -> LoadedGroup:
        """Read all of `works` and settle which of them are to be sent; about `following` more are
        to come."""
        group = LoadedGroup()
        small = [w for w in works if w.size_bytes <= IN_PLACE_BYTES and not is_member(w.folder)]
        others = [w for w in works if w.size_bytes > IN_PLACE_BYTES or is_member(w.folder)]
        if small:
            self._small += len(small)
            self._consider_aside(following * len(small) // len(works))
        if small and self.aside is not None and await self.aside.wait_until_ready():
            with suppress(IngestProcessLost):
                others += await self._load_aside(self.aside, small, group)
                small = []
        loaded: list[tuple[WorkItem, Loaded]] = []
        for begin in range(0, len(small), BREATH_ITEMS):
            loaded += _load_in_place(small[begin : begin + BREATH_ITEMS], others)
            await asyncio.sleep(0)  # what is in flight wants to be answered
        loaded += await self._load_in_threads(others, group.failed)
        if loaded:
            await self._register(loaded, group)
        return group

    def _consider_aside(self, following: int) -> None:
        """Start the second process once there are, or follow, enough small files."""
        if self.aside is None or self._is_decided or self._small + following < ASIDE_ITEMS:
            return
        self._is_decided = True
        if self._async_manifest.manifest.is_shared_easily:
            target = self._target
            self.aside.start(
                (
                    self._async_manifest.manifest.path,
                    target.destination_id,
                    target.batch_id,
                    target.run_id,
                    target.prefix,
                    target.layout,
                    target.copies_duplicates,
                    pickle.dumps(target.extras),
                )
            )

    async def _load_aside(
        self, aside: IngestProcess, works: list[WorkItem], group: LoadedGroup
    ) -> list[WorkItem]:
        """Have the second process read `works`; those that it could not."""
        failed = []
        prepared_at = self._monotonic()
        found = await aside.load(works, self._request_signer())
        for work, taken in zip(works, found, strict=True):
            if taken is None:
                failed.append(work)
                continue
            loaded, (now, key, is_lost, is_begun), request = taken
            if is_lost:
                continue  # another run has it now
            if key is None:
                group.duplicates.append(self._read(work, loaded))
            else:
                ready = ReadyUpload(now, loaded, key, is_begun, request, prepared_at)
                group.ready.append(ready)
        return failed

    async def _register(self, loaded: list[tuple[WorkItem, Loaded]], group: LoadedGroup) -> None:
        target = self._target
        reads = [self._read(*one) for one in loaded]
        registered = await self._async_manifest.call(
            self._async_manifest.manifest.upload_queue.register,
            reads,
            destination_id=target.destination_id,
            batch_id=target.batch_id,
            run_id=target.run_id,
            copy=target.copies_duplicates,
            spare_key=spare_key,
        )
        for read, (_, content), (work, key, is_lost, is_begun) in zip(
            reads, loaded, registered, strict=True
        ):
            if is_lost:
                continue  # another run has it now
            if key is None:
                group.duplicates.append(read)
            else:
                group.ready.append(ReadyUpload(work, content, key, is_begun))

    async def _load_in_threads(
        self, works: list[WorkItem], failed: list[tuple[WorkItem, ItemError]]
    ) -> list[tuple[WorkItem, Loaded]]:
        """Read each in a thread, then hash all that are whole together, in one."""
        loaded: list[tuple[WorkItem, Loaded]] = []
        whole: list[tuple[WorkItem, Whole]] = []
        for work, found in await asyncio.gather(*(self._read_in_thread(work) for work in works)):
            if isinstance(found, Whole):
                whole.append((work, found))
            elif isinstance(found, Loaded):
                loaded.append((work, found))
            else:
                failed.append((work, found))
        if whole:
            digested = await asyncio.to_thread(hashed, [content for _, content in whole])
            loaded += zip([work for work, _ in whole], digested, strict=True)
        return loaded

    async def _read_in_thread(self, work: WorkItem) -> tuple[WorkItem, Whole | Loaded | ItemError]:
        """Read it; where the file fails, any other file known to have the content."""
        part_bytes = await self._part_bytes(work)
        try:
            return work, await asyncio.to_thread(_read_file, work, part_bytes, self._buffers)
        except SourceError as error:
            first = error
        for other in await self._async_manifest.call(
            self._async_manifest.manifest.upload_queue.sources, work.item_id
        ):
            if other.asset_id == work.asset_id:
                continue
            try:
                return other, await asyncio.to_thread(_read_file, other, part_bytes, self._buffers)
            except SourceError:
                continue
        return work, first

    async def _part_bytes(self, work: WorkItem) -> int | None:
        """The part size for a file that is sent in parts, else None. An upload that has begun
        keeps its own."""
        threshold = self._target.part_threshold_bytes
        if threshold is None or work.size_bytes < threshold:
            return None
        begun = await self._async_manifest.call(
            self._async_manifest.manifest.multipart_uploads.open_upload, work.item_id
        )
        if begun is not None:
            return begun.part_bytes
        return part_bytes_for(work.size_bytes, self._target.part_size_bytes)

    def _read(self, work: WorkItem, loaded: Loaded) -> Read:
        target = self._target
        digest, size_bytes, modified_ns, inode, changed_ns, media_type, *_ = loaded
        path = work.folder + work.name
        return Read(
            work,
            digest,
            File(work.name, size_bytes, modified_ns, inode, changed_ns),
            media_type,
            key_for(target.prefix, path, digest, target.layout),
        )


def part_bytes_for(size_bytes: int, part_size_bytes: int) -> int:
    """The part size: as set, or as large as it must be for 10,000 parts to suffice."""
    least = -(-size_bytes // MAX_PARTS)
    return max(part_size_bytes, -(-least // PART_STEP_BYTES) * PART_STEP_BYTES)


def _load_in_place(works: list[WorkItem], others: list[WorkItem]) -> list[tuple[WorkItem, Loaded]]:
    """Read small files here and now; what cannot be read goes to `others`: there may be another
    file with the same content."""
    read: list[WorkItem] = []
    whole: list[Whole] = []
    for work in works:
        try:
            whole.append(read_whole(work.root, work.folder, work.name))
        except SourceError:
            others.append(work)
        else:
            read.append(work)
    return list(zip(read, hashed(whole), strict=True))


def _read_file(work: WorkItem, part_bytes: int | None, buffers: BufferPool) -> Whole | Loaded:
    if part_bytes is None:
        return read_whole(work.root, work.folder, work.name, buffers)
    return read_in_parts(work.root, work.folder, work.name, part_bytes)
