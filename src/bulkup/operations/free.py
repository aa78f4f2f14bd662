"""Which local files may be erased: those of which every byte is proved to be at the destination.

A file may be erased when it is unchanged since its digest was computed, its upload is done, and the
object answers a HEAD with its size and digest (with `deep`: its bytes have that digest). Nothing
else is ever erased: no file that the manifest does not know, no archive, no link, and no file that
is the object itself.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from hashlib import file_digest

from bulkup.errors import ObjectMissing, StoreError
from bulkup.manifest.destinations import Destination
from bulkup.manifest.files.local_files import LocalFile
from bulkup.manifest.verification import StoredObject
from bulkup.model import FileStat
from bulkup.operations.checks.objects import check_head, check_size
from bulkup.operations.checks.session import ReadSession
from bulkup.run.store_reader import StoreReader, for_each_concurrently


@dataclass(frozen=True, slots=True)
class FreeableFile:
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

    Raises DestinationError and ManifestError.
    """
    files = session.manifest.local_files
    known = {one.path: one for path in paths for one in files.below(path, destination.id)}
    async with session.open("free", destination) as reader:
        await reader.check()
        proof = _Proof(reader, destination.url, deep=deep)
        await for_each_concurrently(list(known.values()), proof.check)
    if erase:
        proved = [one for one in known.values() if proof.why[one.asset_id] is None]
        files.mark_freed([one.asset_id for one in proved], now=session.clock.now())
    found = []
    for one in known.values():
        why, is_erased = proof.why[one.asset_id], False
        if erase and why is None:
            why = _erase(one)
            is_erased = why is None
        found.append(FreeableFile(one.path, one.file.size_bytes, why, destination.url, is_erased))
    found += [
        FreeableFile(path, size, "it was never pushed", destination.url)
        for path, size in _others(paths, known.keys())
    ]
    return sorted(found, key=lambda one: one.path)


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
        if one.is_member:
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
    try:
        found = os.lstat(one.path)
        if not stat.S_ISREG(found.st_mode):
            return "it is no regular file"
        now, then = FileStat.of(found), FileStat(*one.file[1:])
        if now == then:
            return None
        if now.size_bytes != then.size_bytes:
            return "it has changed since it was pushed"
        with open(one.path, "rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if digest == one.digest else "it has changed since it was pushed"


def _is_object_itself(path: str, url: str, key: str) -> bool:
    """Whether a directory destination holds this very file: by a link, or since it is the root."""
    if "://" in url:
        return False
    try:
        return os.path.samefile(path, f"{url}/{key}")
    except OSError:
        return False


def _erase(one: LocalFile) -> str | None:
    """Erase the file unless it has changed meanwhile; the reason if it stays."""
    if (why := local_change(one)) is not None:
        return why
    try:
        os.unlink(one.path)
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
