"""A folder for objects that are downloaded to be processed.

A run that is killed cannot remove its folder, so the next one that needs a folder does. A run holds
a lock on a file in its folder, which the system releases however the run ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiofiles

from bulkup.content.archive import open_member
from bulkup.content.media import HEAD_BYTES, media_type
from bulkup.errors import ObjectMissing, SourceMissing, SourceUnavailable
from bulkup.manifest.rows import WorkItem
from bulkup.model import Digest
from bulkup.pace.tries import CONTROL_TRIES
from bulkup.run.store_requests import StoreRequests, chunks_of

PREFIX = "bulkup-downloads-"
LOCK = ".lock"

NEW_SECONDS = 60.0
"""A lock file this young may belong to a run that is about to lock it."""


class Downloads:
    """The folder of one run; made when the first path is asked for."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lock = -1  # the open file that is locked; -1 where there is no folder

    def path_of(self, item_id: int) -> str:
        """Where to keep the object of an item. Raises OSError when no folder can be made."""
        if self._folder is None:
            for folder in _left_behind(Path(tempfile.gettempdir())):
                shutil.rmtree(folder, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            try:
                self._lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            except OSError:
                folder.rmdir()
                raise
            with suppress(OSError):  # a file system without locks: then nobody removes it, either
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._folder = folder
        return str(self._folder / str(item_id))

    def close(self) -> None:
        """Remove the folder, and all that is in it."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._lock)
            self._folder = None


def _left_behind(parent: Path) -> Iterator[Path]:
    """Folders of runs that are gone."""
    for folder in parent.glob(PREFIX + "*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # somebody else's, or no folder of ours
            continue
        try:
            is_old = time.time() - os.fstat(lock).st_mtime > NEW_SECONDS
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its run is at work
            is_old = False
        finally:
            os.close(lock)
        if is_old and folder.lstat().st_uid == os.geteuid():
            yield folder


async def fetch(
    item: WorkItem, requests: StoreRequests, downloads: Downloads, *, limit_bytes: int
) -> tuple[str, Digest]:
    """The object in a temporary file, checked by its digest, and that. Raises SourceMissing.

    Of one over the limit only the first bytes are kept: they and its size decide what is done
    with it. No more than those are fetched if its digest is known.
    """
    if item.key is None:
        raise SourceMissing("its file is gone, and the destination has no object of it")
    key = item.key
    path = _temporary_path(item, downloads)
    is_kept = item.size_bytes <= limit_bytes
    is_whole = is_kept or item.digest is None

    async def download() -> Digest:
        found, kept = hashlib.sha256(), 0
        async with aiofiles.open(path, "wb") as file:
            async for chunk in chunks_of(requests.store, key):
                found.update(chunk)
                if is_kept or not kept:
                    kept += await file.write(chunk)
                if not is_whole and item.digest is not None:
                    await file.truncate(item.size_bytes)
                    return item.digest
            if not is_kept:
                await file.truncate(item.size_bytes)
        return Digest(found.hexdigest())

    try:
        digest = await requests.tries(download, item.size_bytes if is_whole else 0, CONTROL_TRIES)
    except ObjectMissing as error:
        raise SourceMissing(f"its file is gone, and so is the object {key}") from error
    except OSError as error:
        raise _not_kept(error) from error
    if digest != (item.digest or digest):
        raise SourceMissing(f"its file is gone, and the object {key} holds other bytes")
    return path, digest


async def copy_member(item: WorkItem, downloads: Downloads, archive: str, member: str) -> str:
    """The member of the archive in a temporary file. Raises SourceUnavailable."""
    path = _temporary_path(item, downloads)

    def copy() -> None:
        with open_member(archive, member) as source, Path(path).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    try:
        await asyncio.to_thread(copy)
    except OSError as error:
        raise _not_kept(error) from error
    return path


def is_video(path: str, name: str) -> bool:
    """Whether the file is a video, by its name and first bytes."""
    with Path(path).open("rb") as file:
        return media_type(name, file.read(HEAD_BYTES)).startswith("video/")


def _temporary_path(item: WorkItem, downloads: Downloads) -> str:
    try:
        return downloads.path_of(item.item_id)
    except OSError as error:
        raise _not_kept(error) from error


def _not_kept(error: OSError) -> SourceUnavailable:
    return SourceUnavailable(f"the object cannot be kept here: {error.strerror}")
