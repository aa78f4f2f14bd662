"""Claimed items → contents that are ready to be sent: read, hashed, registered.

Where there are many small files, a second process does it (`run/ingest`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from bulkup.content.buffers import BufferPool
from bulkup.content.reading import Loaded, Whole, hashed, is_member, read_in_parts, read_whole
from bulkup.errors import ItemError, SourceError
from bulkup.manifest.rows import Read, Registered, WorkItem
from bulkup.run.job import JobContext
from bulkup.run.upload.target import UploadTarget
from bulkup.stores.store import RequestSigner

IN_PLACE_BYTES = 256 << 10
"""A smaller file is read in the event loop's thread: a hop to another one costs as much (60 µs)."""

IN_PLACE_ITEMS = 16
"""Read in place without a break; half a millisecond."""

FIRST_ITEMS = 32
"""The first group: sending begins when it is read. The next ones are larger and larger."""

MAX_PARTS = 10_000
"""The most parts of one upload (S3 user guide, "Amazon S3 multipart upload limits")."""

PART_STEP_BYTES = 1 << 20


class ReadyUpload(NamedTuple):
    """A content that is to be sent under `key`, claimed and registered."""

    item: WorkItem
    loaded: Loaded
    key: str
    is_begun: bool = False  # sent before, perhaps with success: nobody was left to record it
    request: bytes | None = None  # head and body, signed
    signed_at: float = 0.0  # on the monotonic clock
    held_bytes: int = 0  # in memory


class LoadedGroup:
    """What became of a group of items."""

    __slots__ = ("duplicates", "failed", "lost", "ready", "replaced", "touched")

    def __init__(self) -> None:
        self.ready: list[ReadyUpload] = []
        self.replaced: list[tuple[int, WorkItem]] = []  # ready as another item
        self.duplicates: list[tuple[WorkItem, Loaded]] = []
        self.touched: list[tuple[WorkItem, Loaded]] = []  # with the bytes that they had
        self.lost: list[WorkItem] = []  # another run has them now
        self.failed: list[tuple[WorkItem, ItemError]] = []

    def add(
        self,
        asked: WorkItem,
        loaded: Loaded,
        registered: Registered,
        request: bytes | None = None,
        signed_at: float = 0.0,
    ) -> None:
        """One that was registered, when `asked` was read."""
        item, key, is_lost, is_begun, is_same = registered
        if is_lost:
            self.lost.append(asked)
        elif is_same:
            self.touched.append((asked, loaded))
        elif key is None:
            self.duplicates.append((asked, loaded))
        else:
            if item is not asked and item.item_id != asked.item_id:
                self.replaced.append((asked.item_id, item))
            held_bytes = 0 if loaded.body is None else len(loaded.body)
            self.ready.append(
                ReadyUpload(item, loaded, key, is_begun, request, signed_at, held_bytes)
            )


class Loader:
    """Reads files and registers what was read."""

    def __init__(
        self,
        job: JobContext,
        target: UploadTarget,
        buffers: BufferPool,
        signer: Callable[[], RequestSigner | None],
    ) -> None:
        """`signer`, called before each group, gives what signs requests, as soon as it is known."""
        self._context = job.run
        self._target = target
        self._buffers = buffers
        self._signer = signer
        self._ingest = job.run.ingest
        self._small = 0  # small files so far
        self._is_decided = False  # about starting the second process
        self._part_size_bytes = job.options.part_size_bytes
        self._part_threshold_bytes: int | None = job.options.part_threshold_bytes
        if job.requests.store.part_threshold_bytes is None:
            self._part_threshold_bytes = None  # the store has no parts

    async def load(self, items: list[WorkItem], following: int) -> LoadedGroup:
        """Read all of `items` and find out which of them have to be sent. About `following` more
        come later."""
        group = LoadedGroup()
        small = [i for i in items if i.size_bytes <= IN_PLACE_BYTES and not is_member(i.folder)]
        others = [i for i in items if i.size_bytes > IN_PLACE_BYTES or is_member(i.folder)]
        if small:
            self._small += len(small)
            self._start_ingest(following * len(small) // len(items))
            # What is read first does not wait until the second process has started.
            is_first = following > 0 and len(items) <= FIRST_ITEMS
            if not (is_first and self._ingest is not None and not self._ingest.is_ready):
                small = await self._ingest_small(small, others, group)
        loaded: list[tuple[WorkItem, Loaded]] = []
        for begin in range(0, len(small), IN_PLACE_ITEMS):
            loaded += _load_in_place(small[begin : begin + IN_PLACE_ITEMS], others)
            await asyncio.sleep(0)  # let requests in flight continue
        loaded += await self._load_in_threads(others, group.failed)
        if loaded:
            await self._register(loaded, group)
        return group

    def _start_ingest(self, following: int) -> None:
        """Start the second process once there are, or follow, enough small files."""
        ingest, manifest = self._ingest, self._context.manifest
        if ingest is None or self._is_decided or self._small + following < ingest.worth_files:
            return
        self._is_decided = True
        if manifest.is_shared_easily:
            ingest.start(manifest.path, self._target)
        else:
            self._ingest = None

    async def _ingest_small(
        self, items: list[WorkItem], others: list[WorkItem], group: LoadedGroup
    ) -> list[WorkItem]:
        """Have the second process load `items`; the ones that are left when there is none. What it
        cannot read goes to `others`."""
        if self._ingest is None:
            return items
        signed_at = self._context.clock.monotonic()
        found = await self._ingest.load(items, self._signer())
        if found is None:
            return items
        for item, one in zip(items, found, strict=True):
            if one is None:
                others.append(item)
            else:
                group.add(item, one.loaded, one.registered, one.request, signed_at)
        return []

    async def _register(self, loaded: list[tuple[WorkItem, Loaded]], group: LoadedGroup) -> None:
        if self._target.needs_facts:
            reads = await asyncio.to_thread(self._reads, loaded)
        else:
            reads = self._reads(loaded)
        queue = self._context.manifest.upload_queue
        registered = await self._context.call(self._target.register, queue, reads)
        for (item, content), one in zip(loaded, registered, strict=True):
            group.add(item, content, one)

    def _reads(self, loaded: list[tuple[WorkItem, Loaded]]) -> list[Read]:
        return [self._target.read_of(*one) for one in loaded]

    async def _load_in_threads(
        self, items: list[WorkItem], failed: list[tuple[WorkItem, ItemError]]
    ) -> list[tuple[WorkItem, Loaded]]:
        """Read each in a thread, then hash all that are whole together, in one."""
        loaded: list[tuple[WorkItem, Loaded]] = []
        whole: list[tuple[WorkItem, Whole]] = []
        for item, found in await asyncio.gather(*(self._read_in_thread(item) for item in items)):
            if isinstance(found, Whole):
                whole.append((item, found))
            elif isinstance(found, Loaded):
                loaded.append((item, found))
            else:
                failed.append((item, found))
        if whole:
            digested = await asyncio.to_thread(hashed, [content for _, content in whole])
            loaded += zip([item for item, _ in whole], digested, strict=True)
        return loaded

    async def _read_in_thread(self, item: WorkItem) -> tuple[WorkItem, Whole | Loaded | ItemError]:
        """Read it; where the file fails, any other file known to have the content."""
        part_bytes = await self._part_bytes(item)
        try:
            return item, await asyncio.to_thread(_read_file, item, part_bytes, self._buffers)
        except SourceError as error:
            first = error
        for other in await self._context.call(
            self._context.manifest.upload_queue.sources, item.item_id
        ):
            if other.asset_id == item.asset_id:
                continue
            try:
                return other, await asyncio.to_thread(_read_file, other, part_bytes, self._buffers)
            except SourceError:
                continue
        return item, first

    async def _part_bytes(self, item: WorkItem) -> int | None:
        """The part size for a file that is sent in parts, else None. An upload that has begun
        keeps its own."""
        threshold = self._part_threshold_bytes
        if threshold is None or item.size_bytes < threshold:
            return None
        begun = await self._context.call(
            self._context.manifest.multipart_uploads.open_upload, item.item_id
        )
        if begun is not None:
            return begun.part_bytes
        return part_bytes_for(item.size_bytes, self._part_size_bytes)


def part_bytes_for(size_bytes: int, part_size_bytes: int) -> int:
    """The part size: as set, or as large as it must be for 10,000 parts to suffice."""
    least = -(-size_bytes // MAX_PARTS)
    return max(part_size_bytes, -(-least // PART_STEP_BYTES) * PART_STEP_BYTES)


def _load_in_place(items: list[WorkItem], others: list[WorkItem]) -> list[tuple[WorkItem, Loaded]]:
    """Read small files here and now; what cannot be read goes to `others`: there may be another
    file with the same content."""
    read: list[WorkItem] = []
    whole: list[Whole] = []
    for item in items:
        try:
            whole.append(read_whole(item.root, item.folder, item.name))
        except SourceError:
            others.append(item)
        else:
            read.append(item)
    return list(zip(read, hashed(whole), strict=True))


def _read_file(item: WorkItem, part_bytes: int | None, buffers: BufferPool) -> Whole | Loaded:
    if part_bytes is None:
        return read_whole(item.root, item.folder, item.name, buffers)
    return read_in_parts(item.root, item.folder, item.name, part_bytes)
