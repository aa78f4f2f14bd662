"""The process stage: finds a content's bytes, has a worker make its variants, and puts those."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiofiles

from bulkup.content.archive import open_member
from bulkup.content.media import HEAD_BYTES, media_type
from bulkup.content.picture.types import Picture, Skipped
from bulkup.content.reading import is_member
from bulkup.content.tar_archive import is_tar_name
from bulkup.errors import (
    BulkupError,
    ItemError,
    ObjectMissing,
    SourceError,
    SourceMissing,
    SourceUnavailable,
    WorkerLost,
)
from bulkup.manifest.rows import ProcessedItem, SkippedItem, Source, WorkItem
from bulkup.model import Stage
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.process.task import MODULES, PictureTask, process
from bulkup.process.worker_pool import Workers
from bulkup.run.job import JobContext
from bulkup.run.stages.downloads import Downloads
from bulkup.run.stages.results import DoneItem
from bulkup.run.stages.variant_cache import VariantCache
from bulkup.run.stages.variants import VariantStore
from bulkup.run.store_requests import chunks_of

AHEAD: Final = 2
"""Attempts beyond one for each worker: their bytes are found and their variants put meanwhile."""


class ProcessStage:
    """An `Attempter`, for one destination."""

    stage = Stage.PROCESS
    most_items = 1

    def __init__(self, job: JobContext, variant_cache: VariantCache | None) -> None:
        """Fresh variants are kept in `variant_cache`, for the embed stage."""
        options = job.options.process
        self._context = job.run
        self._requests = job.requests
        self._options = options
        self._destination_id = job.destination_id
        self._follows = job.follows(Stage.PROCESS)
        self._variant_cache = variant_cache
        self._variants = VariantStore(job)
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
        began = self._context.clock.monotonic()
        try:
            made = await self._made(item)
            seconds = self._context.clock.monotonic() - began
            if not isinstance(made, Picture):
                return [SkippedItem(item, made.reason, seconds)]
            rows = await asyncio.gather(*(self._variants.put(item, one) for one in made.variants))
        except ItemError as error:
            return [error]
        except BulkupError:
            raise
        except OSError as error:  # of this machine: no descriptors, no memory, a full disk
            return [SourceUnavailable(f"{type(error).__name__}: {error.strerror or error}")]
        except Exception as error:  # noqa: BLE001 - a decoder's fault is its picture's, not the run's
            return [ItemError(f"{type(error).__name__}: {error}")]
        if self._variant_cache is not None:
            self._variant_cache.keep(item.content_id, made.variants)
        seconds = self._context.clock.monotonic() - began
        return [ProcessedItem(item, tuple(rows), made.metadata, seconds)]

    async def record(self, done: Sequence[DoneItem]) -> None:
        """Write variants and metadata: the contents are processed."""
        await self._context.call(
            self._context.manifest.pictures.settle,
            [one for one in done if isinstance(one, ProcessedItem)],
            follows=self._follows,
            destination_id=self._destination_id,
            run_id=self._context.run_id,
            now=self._context.clock.now(),
        )

    async def close(self) -> None:
        """End the workers and remove what was downloaded."""
        await self._workers.close()
        self._downloads.close()

    # The bytes ----------------------------------------------------------------------------

    async def _made(self, item: WorkItem) -> Picture | Skipped:
        """The variants, made from the first file that has the content, else from the object."""
        sources = await self._context.call(
            self._context.manifest.stage_queue.sources, item.content_id
        )
        for source in sources:
            if source.is_missing:
                continue
            path, member = _place(source)
            with suppress(SourceError):  # gone, changed or damaged: another one may be whole
                if member is not None and is_tar_name(path):
                    return await self._work_on_tar_member(item, path, member)
                return await self._work(item, path, source.name, member)
        path = await self._download(item)
        try:
            if item.size_bytes > self._options.limits.file_bytes and await asyncio.to_thread(
                _is_video, path, item.name
            ):
                return Skipped(
                    f"a video of {item.size_bytes} bytes, which are not fetched for a frame"
                )
            return await self._work(item, path, item.name, None)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)

    async def _work_on_tar_member(
        self, item: WorkItem, archive: str, member: str
    ) -> Picture | Skipped:
        """Copy the member to a temporary file first: a worker would have to inflate all that comes
        before it."""
        if item.size_bytes > self._options.limits.file_bytes:
            raise SourceUnavailable("larger than what is processed")
        path = self._temporary_path(item)
        try:
            await asyncio.to_thread(_copy_member, archive, member, path)
            return await self._work(item, path, member, None)
        except OSError as error:
            raise _not_kept(error) from error
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _temporary_path(self, item: WorkItem) -> str:
        try:
            return self._downloads.path_of(item.item_id)
        except OSError as error:
            raise _not_kept(error) from error

    async def _work(
        self, item: WorkItem, path: str, name: str, member: str | None
    ) -> Picture | Skipped:
        job = PictureTask(
            path,
            name,
            member,
            digest=item.known_digest,
            size_bytes=item.size_bytes,
            wanted=self._options.variants,
            limits=self._options.limits,
        )
        queue, run_id = self._context.manifest.stage_queue, self._context.run_id

        async def begin() -> None:
            await self._context.call(queue.mark_in_worker, [item], run_id=run_id)

        try:
            made = await self._workers.run(process, job, on_begin=begin)
        except ItemError as error:
            if not isinstance(error, WorkerLost):
                await self._context.call(queue.unmark_in_worker, [item], run_id=run_id)
            raise
        await self._context.call(queue.unmark_in_worker, [item], run_id=run_id)
        return made

    async def _download(self, item: WorkItem) -> str:
        """The object in a temporary file, checked by its digest. Raises SourceMissing.

        Of one over the limit only the first bytes are fetched: they and its size decide what is
        done with it.
        """
        if item.key is None:
            raise SourceMissing("its file is gone, and the destination has no object of it")
        key = item.key
        path = self._temporary_path(item)
        is_whole = item.size_bytes <= self._options.limits.file_bytes

        async def download() -> str:
            found = hashlib.sha256()
            async with aiofiles.open(path, "wb") as file:
                async for chunk in chunks_of(self._requests.store, key):
                    found.update(chunk)
                    await file.write(chunk)
                    if not is_whole:
                        await file.truncate(item.size_bytes)
                        return item.known_digest
            return found.hexdigest()

        try:
            digest = await self._requests.tries(
                download, item.size_bytes if is_whole else 0, CONTROL_TRIES
            )
        except ObjectMissing as error:
            raise SourceMissing(f"its file is gone, and so is the object {key}") from error
        except OSError as error:
            raise _not_kept(error) from error
        if digest != item.known_digest:
            raise SourceMissing(f"its file is gone, and the object {key} holds other bytes")
        return path


def _place(source: Source) -> tuple[str, str | None]:
    """The path of the file, or of the archive and the member's name in it."""
    folder = f"{source.root.rstrip('/')}/{source.folder}"
    if is_member(source.folder):
        return folder[:-1], source.name
    return folder + source.name, None


def _copy_member(archive: str, member: str, path: str) -> None:
    with open_member(archive, member) as source, open(path, "wb") as file:
        shutil.copyfileobj(source, file)


def _not_kept(error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"the object cannot be kept here: {error.strerror}")


def _is_video(path: str, name: str) -> bool:
    with Path(path).open("rb") as file:
        return media_type(name, file.read(HEAD_BYTES)).startswith("video/")
