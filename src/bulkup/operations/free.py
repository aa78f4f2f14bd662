"""Which local files may be erased: those of which every byte is proved to be at the destination.

A file may be erased when it is unchanged since its digest was computed, its upload is done, and the
object answers a HEAD with its size and digest (with `deep`: its bytes have that digest). Nothing
else is ever erased: no file that the manifest does not know, no archive, no link, nothing behind a
link, and no file that is the object itself.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Container, Iterator, Sequence
from hashlib import file_digest
from typing import Final, NamedTuple

from bulkup.errors import DestinationError, ObjectMissing, StoreError
from bulkup.manifest.destinations import Destination
from bulkup.manifest.files.local_files import LocalFile
from bulkup.manifest.verification import StoredObject
from bulkup.model import FileStat
from bulkup.operations.checks.objects import check_head, check_size
from bulkup.operations.checks.session import ReadSession
from bulkup.run.store_reader import StoreReader, for_each_concurrently

_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

ERASED_TOGETHER = 100
"""Files are erased at once after so many objects were looked at: what was proved hours ago is no
proof."""


class FreeableFile(NamedTuple):
    """A file, and why it must stay; None: it may be erased."""

    path: str
    size_bytes: int
    why: str | None
    destination: str
    is_erased: bool = False


async def find_freeable(
    session: ReadSession, destination: Destination, paths: Sequence[str], *, deep: bool, erase: bool
) -> list[FreeableFile]:
    """All files below the absolute paths, in order; with `erase`, those that may be are erased.
    What was there at the last scan and is gone is left out.

    Raises DestinationError and ManifestError.
    """
    files = session.manifest.local_files
    below = (one for path in paths for one in files.below(path, destination.id))
    known = {one.path: one for one in below if _is_there(one)}
    everything, together = list(known.values()), ERASED_TOGETHER if erase else max(len(known), 1)
    found: list[FreeableFile] = []
    async with session.open("free", destination) as reader:
        await reader.check()
        for start in range(0, len(everything), together):
            some = everything[start : start + together]
            proof = _Proof(reader, destination.url, deep=deep)
            try:
                await for_each_concurrently(some, proof.check)
            except DestinationError as error:
                if not erase or start == 0:
                    raise
                why = f"unchecked: {error}"
                found += [_kept(one, why, destination) for one in everything[start:]]
                break
            if erase:
                proved = [one.asset_id for one in some if proof.why[one.asset_id] is None]
                files.mark_freed(proved, now=session.clock.now())
            found += [_freed(one, proof, destination, erase=erase) for one in some]
    found += [
        FreeableFile(path, size, "it was never pushed", destination.url)
        for path, size in _others(paths, known.keys())
    ]
    return sorted(found, key=lambda one: one.path)


def _is_there(one: LocalFile) -> bool:
    return os.path.lexists(one.archive or one.path)


def _kept(one: LocalFile, why: str | None, destination: Destination) -> FreeableFile:
    return FreeableFile(one.path, one.file.size_bytes, why, destination.url)


def _freed(one: LocalFile, proof: _Proof, destination: Destination, *, erase: bool) -> FreeableFile:
    why = proof.why[one.asset_id]
    is_erased = erase and why is None and (why := _in_its_folder(one, _erase)) is None
    return _kept(one, why, destination)._replace(is_erased=is_erased)


class _Proof:
    """Looks for a reason to keep each file."""

    def __init__(self, reader: StoreReader, url: str, *, deep: bool) -> None:
        self._reader = reader
        self._url = url
        self._deep = deep
        self._objects: dict[int, str | None] = {}  # by content: what is wrong with its object
        self.why: dict[int, str | None] = {}  # by asset

    async def check(self, one: LocalFile) -> None:
        self.why[one.asset_id] = await self._why(one)

    async def _why(self, one: LocalFile) -> str | None:
        if one.archive is not None:
            return "it is in an archive, which itself is not at the destination"
        if one.digest is None or one.upload != "done" or one.stored is None:
            return f"its upload is {one.upload or 'not begun'}"
        if (why := local_change(one)) is not None:
            return why
        if _is_object_itself(one.path, self._url, one.stored.key):
            return "it is the object itself"
        content_id = one.stored.content_id
        if content_id not in self._objects:
            self._objects[content_id] = await self._why_object(one.stored)
        return self._objects[content_id]

    async def _why_object(self, stored: StoredObject) -> str | None:
        try:
            info = await self._reader.head(stored.key)
            mismatch = check_size(stored, info.size_bytes)
            if mismatch is None and not self._deep:
                found = check_head(stored, info)
                if found != "undecided":
                    return None if found is None else f"{found.finding}: {found.detail}"
            if mismatch is not None:
                return f"{mismatch.finding}: {mismatch.detail}"
            digest, _ = await self._reader.read(stored.key, stored.size_bytes)
        except ObjectMissing:
            return "missing: no object has its key"
        except StoreError as error:
            return f"unchecked: {error}"
        if digest == stored.digest:
            return None
        return f"different: the object's bytes have another SHA-256, {digest}"


def local_change(one: LocalFile) -> str | None:
    """Why the file is not known to have its digest; None when it has.

    A file that was moved or copied, so that only its inode or ctime are others, is read.
    """
    return _in_its_folder(one, _change)


def _in_its_folder(one: LocalFile, do: Callable[[LocalFile, str, int], str | None]) -> str | None:
    """Do something with the file by its name in its open folder; why it cannot be done.

    No link below the root is followed: behind it are files of another place.
    """
    *folders, name = one.path.removeprefix(one.root.rstrip("/") + "/").split("/")
    at = None
    try:
        at = os.open(one.root, os.O_RDONLY | os.O_DIRECTORY)
        for folder in folders:
            above, at = at, os.open(folder, _OPEN_FOLDER, dir_fd=at)
            os.close(above)
        return do(one, name, at)
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            return "it is reached through a link"
        return f"it cannot be read: {error.strerror}"
    finally:
        if at is not None:
            os.close(at)


def _change(one: LocalFile, name: str, folder: int) -> str | None:
    found = os.lstat(name, dir_fd=folder)
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    now, then = FileStat.of(found), FileStat(*one.file[1:])
    if now == then:
        return None
    if now.size_bytes == then.size_bytes:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(fd, "rb") as file:
            if file_digest(file, "sha256").hexdigest() == one.digest:
                return None
    return "it has changed since it was pushed"


def _is_object_itself(path: str, url: str, key: str) -> bool:
    """Whether a directory destination holds this very file: by a link, or since it is the root."""
    if "://" in url:
        return False
    try:
        return os.path.samefile(path, f"{url}/{key}")
    except OSError:
        return False


def _erase(one: LocalFile, name: str, folder: int) -> str | None:
    """Erase the file unless it has changed meanwhile; the reason if it stays."""
    if (why := _change(one, name, folder)) is not None:
        return why
    try:
        os.unlink(name, dir_fd=folder)
    except OSError as error:
        return f"it cannot be erased: {error.strerror}"
    return None


def _others(paths: Sequence[str], known: Container[str]) -> Iterator[tuple[str, int]]:
    """Path and size of the regular files below the paths that the manifest does not know."""
    for path in _files_below(paths):
        if path not in known and os.path.isfile(path) and not os.path.islink(path):
            yield path, os.lstat(path).st_size


def _files_below(paths: Sequence[str]) -> Iterator[str]:
    for top in paths:
        if os.path.isfile(top):
            yield top
        for folder, _, names in os.walk(top):
            yield from (os.path.join(folder, name) for name in names)
