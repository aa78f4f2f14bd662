"""The work on pictures: find a content's bytes, have its variants made and put, embed them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from bulkup.content.archive_names import is_tar_name
from bulkup.content.picture.types import Picture, Skipped
from bulkup.content.reading import is_member
from bulkup.errors import BulkupError, ItemError, SourceError, SourceUnavailable, WorkerLost
from bulkup.manifest.rows import ProcessedItem, SkippedItem, Source, WorkItem
from bulkup.model import Digest
from bulkup.process.task import MODULES, PictureTask, process
from bulkup.process.worker_pool import Workers
from bulkup.run.store_requests import StoreRequests
from bulkup.run.work.downloads import Downloads, copy_member, fetch, is_video
from bulkup.run.work.task import Hands, Task
from bulkup.run.work.variants import IsBad, VariantStore
from bulkup.settings.stage_options import ProcessOptions

AHEAD: Final = 2
"""Pictures beyond one for each worker process: their bytes are found and their variants put
meanwhile."""


class Made(NamedTuple):
    """The outcome of one item, what was made, and the digest of its bytes, if they were found."""

    outcome: ProcessedItem | SkippedItem | ItemError
    picture: Picture | None
    digest: Digest | None


class PictureWork:
    """Processes pictures for one destination. For one event loop."""

    def __init__(
        self,
        requests: StoreRequests,
        options: ProcessOptions,
        hands: Hands,
        *,
        clock: Callable[[], float],
        count: int,
        is_bad: IsBad | None = None,
    ) -> None:
        """`count` worker processes; `is_bad` knows variants that a task does not name as bad."""
        self._requests = requests
        self._options = options
        self._hands = hands
        self._clock = clock
        self._is_bad = is_bad
        self._variants = VariantStore(requests, force=options.force)
        self._workers = Workers(
            count,
            memory_bytes=options.memory_bytes,
            seconds=options.seconds,
            modules=MODULES,
        )
        self._downloads = Downloads()

    async def process(self, item: WorkItem, task: Task) -> Made:
        """What becomes of one item of the task. Its outcome bears the digest."""
        began = self._clock()
        try:
            made = await self._from_files(item, task.sources.get(item.item_id, ()))
            if made is None:
                path, digest = await self._fetch(item)
                item = item._replace(digest=digest)
                made = await self._work_on_download(item, path)
            if not isinstance(made, Picture):
                skipped = SkippedItem(item, made.reason, self._clock() - began)
                return Made(skipped, None, item.digest)
            is_bad = self._is_bad or _named_by(task)
            puts = (self._variants.put(item, one, is_bad) for one in made.variants)
            rows = await asyncio.gather(*puts)
        except ItemError as error:
            return Made(error, None, item.digest)
        except BulkupError:
            raise
        except OSError as error:  # of this machine: no descriptors, no memory, a full disk
            reason = f"{type(error).__name__}: {error.strerror or error}"
            return Made(SourceUnavailable(reason), None, item.digest)
        except Exception as error:  # noqa: BLE001 - a decoder's fault is its picture's, not the run's
            return Made(ItemError(f"{type(error).__name__}: {error}"), None, item.digest)
        done = ProcessedItem(item, tuple(rows), made.metadata, self._clock() - began)
        return Made(done, made, item.digest)

    async def close(self) -> None:
        """End the worker processes and remove what was downloaded."""
        await self._workers.close()
        self._downloads.close()

    async def _from_files(
        self, item: WorkItem, sources: Sequence[Source]
    ) -> Picture | Skipped | None:
        """The variants, made from the first file that has the content; None when none has."""
        for source in sources:
            if source.is_missing or item.digest is None:
                continue
            path, member = _place(source)
            with suppress(SourceError):  # gone, changed or damaged: another one may be whole
                if member is not None and is_tar_name(path):
                    return await self._work_on_tar_member(item, path, member)
                return await self._work(item, path, source.name, member)
        return None

    async def _fetch(self, item: WorkItem) -> tuple[str, Digest]:
        limit_bytes = self._options.limits.file_bytes
        return await fetch(item, self._requests, self._downloads, limit_bytes=limit_bytes)

    async def _work_on_download(self, item: WorkItem, path: str) -> Picture | Skipped:
        """The variants, made from the object, of which `path` is a temporary file."""
        limit_bytes = self._options.limits.file_bytes
        try:
            if item.size_bytes > limit_bytes and await asyncio.to_thread(is_video, path, item.name):
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
        path = await copy_member(item, self._downloads, archive, member)
        try:
            return await self._work(item, path, member, None)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)

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

        async def begin() -> None:
            await self._hands.take((item,))

        try:
            made = await self._workers.run(process, job, on_begin=begin)
        except ItemError as error:
            if not isinstance(error, WorkerLost):
                await self._hands.give_back((item,))
            raise
        await self._hands.give_back((item,))
        return made


def _named_by(task: Task) -> Callable[[str], Awaitable[bool]]:
    async def is_bad(key: str) -> bool:
        return key in task.bad_keys

    return is_bad


def _place(source: Source) -> tuple[str, str | None]:
    """The path of the file, or of the archive and the member's name in it."""
    folder = f"{source.root.rstrip('/')}/{source.folder}"
    if is_member(source.folder):
        return folder[:-1], source.name
    return folder + source.name, None
