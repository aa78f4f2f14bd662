"""The process stage at work: a content's bytes found, its variants made and put."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import aiofiles

from bulkup.clock import Clock
from bulkup.content.media import HEAD_BYTES, media_type
from bulkup.content.picture.types import Picture, Skipped, Variant
from bulkup.content.reading import is_member
from bulkup.errors import (
    BulkupError,
    ItemError,
    KeyTaken,
    ObjectMissing,
    SourceError,
    SourceMissing,
    SourceUnavailable,
    WorkerLost,
)
from bulkup.manifest.rows import (
    EmbeddedItem,
    ProcessedItem,
    SkippedItem,
    Source,
    VariantRow,
    WorkItem,
)
from bulkup.model import Attributes, Digest, Stage
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.process.task import MODULES, PictureTask, process, variant_key
from bulkup.process.worker_pool import Workers
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.stages.downloads import Downloads
from bulkup.run.stages.variant_cache import VariantCache
from bulkup.run.upload.sender import Sender
from bulkup.settings.stage_options import ProcessOptions
from bulkup.stores.store import ObjectStore

T = TypeVar("T")

SIDECAR_BYTES: Final = 4 << 20
"""No packet that a person or a camera wrote is larger."""

AHEAD: Final = 2
"""Items in hand beyond one for each worker: their bytes are found and their variants put
meanwhile."""


class ProcessStage:
    """Attempts of the process stage at one destination. For one event loop."""

    stage = Stage.PROCESS
    most_items = 1

    def __init__(
        self,
        async_manifest: AsyncManifest,
        store: ObjectStore,
        sender: Sender,
        options: ProcessOptions,
        *,
        destination_id: int,
        run_id: str,
        follows: Stage | None,
        variant_cache: VariantCache | None,
        clock: Clock,
    ) -> None:
        self._async_manifest = async_manifest
        self._store = store
        self._sender = sender
        self._options = options
        self._destination_id = destination_id
        self._run_id = run_id
        self._follows = follows
        self._variant_cache = variant_cache
        self._clock = clock
        self.concurrency = options.count + AHEAD
        self._workers = Workers(
            options.count,
            memory_bytes=options.memory_bytes,
            seconds=options.seconds,
            modules=MODULES,
        )
        self._downloads = Downloads()

    async def attempt(
        self, items: Sequence[WorkItem]
    ) -> list[ProcessedItem | SkippedItem | ItemError]:
        (item,) = items
        began = self._clock.monotonic()
        try:
            made = await self._made(item)
            seconds = self._clock.monotonic() - began
            if not isinstance(made, Picture):
                return [SkippedItem(item, made.reason, seconds)]
            rows = await asyncio.gather(*(self._put(item, one) for one in made.variants))
        except ItemError as error:
            return [error]
        except BulkupError:
            raise
        except Exception as error:  # noqa: BLE001 - a decoder's fault is its picture's, not the run's
            return [ItemError(f"{type(error).__name__}: {error}")]
        if self._variant_cache is not None:
            self._variant_cache.keep(item.content_id, made.variants)
        seconds = self._clock.monotonic() - began
        return [ProcessedItem(item, tuple(rows), made.metadata, made.sidecar, seconds)]

    async def record(self, done: Sequence[ProcessedItem | EmbeddedItem]) -> None:
        """The contents are processed."""
        await self._async_manifest.call(
            self._async_manifest.manifest.pictures.settle,
            [one for one in done if isinstance(one, ProcessedItem)],
            follows=self._follows,
            destination_id=self._destination_id,
            run_id=self._run_id,
            now=self._clock.now(),
        )

    async def close(self) -> None:
        """End the workers and remove what was downloaded."""
        await self._workers.close()
        self._downloads.close()

    # The bytes ----------------------------------------------------------------------------

    async def _made(self, item: WorkItem) -> Picture | Skipped:
        """The variants, of the first file that still has the content; else of the object."""
        sources = await self._async_manifest.call(
            self._async_manifest.manifest.stage_queue.sources, item.content_id
        )
        sidecar = await self._sidecar(sources)
        for source in sources:
            if source.is_missing:
                continue
            path, member = _place(source)
            with suppress(SourceError):  # gone, changed or damaged: another one may be whole
                return await self._work(item, path, source.name, member, sidecar)
        path = await self._download(item)
        try:
            if item.size_bytes > self._options.limits.file_bytes and await asyncio.to_thread(
                _is_video, path, item.name
            ):
                return Skipped(
                    f"a video of {item.size_bytes} bytes, which are not fetched for a frame"
                )
            return await self._work(item, path, item.name, None, sidecar)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)

    async def _work(
        self, item: WorkItem, path: str, name: str, member: str | None, sidecar: bytes | None
    ) -> Picture | Skipped:
        job = PictureTask(
            path,
            name,
            member,
            digest=item.known_digest,
            size_bytes=item.size_bytes,
            sidecar=sidecar,
            wanted=self._options.variants,
            limits=self._options.limits,
        )
        later = self._async_manifest.manifest.stage_queue

        async def begin() -> None:
            await self._async_manifest.call(later.mark_in_worker, [item], run_id=self._run_id)

        try:
            made = await self._workers.run(process, job, on_begin=begin)
        except ItemError as error:
            if not isinstance(error, WorkerLost):
                await self._async_manifest.call(later.unmark_in_worker, [item], run_id=self._run_id)
            raise
        await self._async_manifest.call(later.unmark_in_worker, [item], run_id=self._run_id)
        return made

    async def _download(self, item: WorkItem) -> str:
        """The object in a file of ours, checked by its digest. Raises SourceMissing.

        Of one over the limit only the first bytes are fetched: what is done with it is clear from
        them and its size.
        """
        if item.key is None:
            raise SourceMissing("its file is gone, and the destination has no object of it")
        key = item.key
        try:
            path = self._downloads.path_of(item.item_id)
        except OSError as error:
            raise _not_kept(error) from error
        is_whole = item.size_bytes <= self._options.limits.file_bytes

        async def download() -> str:
            found = hashlib.sha256()
            async with aiofiles.open(path, "wb") as file:
                async for chunk in _chunks(self._store, key):
                    found.update(chunk)
                    await file.write(chunk)
                    if not is_whole:
                        await file.truncate(item.size_bytes)
                        return item.known_digest
            return found.hexdigest()

        try:
            digest = await self._sender.tries(
                download, item.size_bytes if is_whole else 0, CONTROL_TRIES
            )
        except ObjectMissing as error:
            raise SourceMissing(f"its file is gone, and so is the object {key}") from error
        except OSError as error:
            raise _not_kept(error) from error
        if digest != item.known_digest:
            raise SourceMissing(f"its file is gone, and the object {key} holds other bytes")
        return path

    async def _sidecar(self, sources: Sequence[Source]) -> bytes | None:
        """The XMP packet beside the first file that has one, from the disk or the destination."""
        for source in sources:
            found = await self._async_manifest.call(
                self._async_manifest.manifest.stage_queue.sidecar_of,
                source,
                _sidecar_names(source.name),
                destination_id=self._destination_id,
            )
            if found is None:
                continue
            name, key = found
            if not is_member(source.folder):
                path = Path(source.root, source.folder + name)
                with suppress(OSError):
                    return await asyncio.to_thread(_head_of, path)
            if key is not None:
                with suppress(ItemError):
                    return await self._look(partial(_body, self._store, key, SIDECAR_BYTES))
        return None

    # The variants -------------------------------------------------------------------------

    async def _put(self, item: WorkItem, variant: Variant) -> VariantRow:
        """Store a variant; one that is there already is kept, unless it is to be replaced: by
        order, or since `verify` found other bytes in it."""
        key = variant_key(self._store.prefix, variant.name, item.known_digest, variant.format)
        try:
            return await self._stored(variant, key, is_exclusive=not self._options.force)
        except KeyTaken:
            audit = self._async_manifest.manifest.object_checks
            if await self._async_manifest.call(audit.is_bad_variant, self._destination_id, key):
                return await self._stored(variant, key, is_exclusive=False)
            return await self._found(variant.name, key)

    async def _stored(self, variant: Variant, key: str, *, is_exclusive: bool) -> VariantRow:
        """Raises KeyTaken when it must not replace what is there."""
        digest = Digest(hashlib.sha256(variant.body).hexdigest())
        attributes = Attributes(content_type=variant.content_type)
        stored = await self._sender.tries(
            lambda: self._store.put(
                key, variant.body, digest=digest, attributes=attributes, exclusive=is_exclusive
            ),
            len(variant.body),
        )
        return VariantRow(variant.name, key, len(variant.body), digest, stored.etag)

    async def _found(self, kind: str, key: str) -> VariantRow:
        """A variant that was made earlier, by whichever run."""
        info = await self._look(lambda: self._store.head(key))
        digest = info.digest
        if digest is None:
            body = await self._look(lambda: _body(self._store, key, info.size_bytes))
            digest = Digest(hashlib.sha256(body).hexdigest())
        return VariantRow(kind, key, info.size_bytes, digest, info.etag)

    async def _look(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._sender.tries(call, 0, CONTROL_TRIES)


def _place(source: Source) -> tuple[str, str | None]:
    """The path of the file, or of the archive and the member's name in it."""
    folder = f"{source.root.rstrip('/')}/{source.folder}"
    if is_member(source.folder):
        return folder[:-1], source.name
    return folder + source.name, None


def _not_kept(error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"the object cannot be kept here: {error.strerror}")


def _sidecar_names(name: str) -> list[str]:
    """What an XMP sidecar of the file may be called: `IMG_1.CR2.xmp` (darktable, digiKam) or
    `IMG_1.xmp` (Lightroom, Bridge)."""
    folder, slash, last = name.rpartition("/")  # of a member its archive's folders are in the name
    stem = folder + slash + (last.rpartition(".")[0] or last)
    return [f"{base}.{ending}" for base in (name, stem) for ending in ("xmp", "XMP")]


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SIDECAR_BYTES)


def _is_video(path: str, name: str) -> bool:
    with Path(path).open("rb") as file:
        return media_type(name, file.read(HEAD_BYTES)).startswith("video/")


async def _body(store: ObjectStore, key: str, most_bytes: int) -> bytes:
    """The object's bytes, up to about so many."""
    body = bytearray()
    async for chunk in _chunks(store, key):
        body += chunk
        if len(body) >= most_bytes:
            break
    return bytes(body)


async def _chunks(store: ObjectStore, key: str) -> AsyncIterator[bytes]:
    """The object's bytes; whoever has enough of them breaks off the request, too."""
    chunks = store.open(key)
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
