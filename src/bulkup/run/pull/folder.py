"""The folder that files are pulled into. Nothing in it is overwritten.

A file is written below `.bulkup-pull/` first, and gets its name with its modification time, in one
step that never replaces. So a file that has its name, size and time is whole. All of them are on
the disk before a pull says that it is done; after a machine went down before that, the lock file
says which files are to be compared by digest. The folder `.bulkup-pull` is removed in the end,
unless it holds parts that the next pull continues with.

All functions here block.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from contextlib import suppress
from enum import Enum
from hashlib import file_digest
from itertools import count
from typing import Final, NamedTuple

from bulkup.errors import FileNotWritten, FolderUnusable
from bulkup.model import Body, Digest
from bulkup.run.pull.file_system import (
    NO_LINKS,
    begin_writing_out,
    give_name,
    sync_file_system,
)
from bulkup.run.pull.lock import FolderLock
from bulkup.stores.keys import spare_folder_key, spare_key

STAGING: Final = ".bulkup-pull"
RANGES: Final = ".ranges"
_PARTIAL = re.compile(r"[0-9a-f]{64}").fullmatch
_TEMPORARY = re.compile(r"[0-9a-f]{12}-[0-9]+").fullmatch
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_TAKEN = (FileExistsError, NotADirectoryError, IsADirectoryError)
_TRIES = 3

_EARLY_BYTES: Final = 1 << 20
"""From this size on a file is on its way to the disk at once: less is left for the end."""


class Wanted(NamedTuple):
    """A file as it was pushed; `modified_ns` is None where nobody knows it."""

    path: str  # relative to the folder
    digest: Digest
    size_bytes: int
    modified_ns: int | None


class Found(Enum):
    """What a path holds."""

    FREE = "free"
    THERE = "there"  # the wanted file
    TORN = "torn"  # its beginning: the machine went down before the bytes were on the disk
    TAKEN = "taken"


class PulledPath(NamedTuple):
    """Where a file goes, or is."""

    wanted: Wanted
    path: str  # relative to the folder; not `wanted.path` where that is another file's
    found: Found


class TargetFolder:
    """One folder. The functions that write need `lock`."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._has_named = False
        self._lock = FolderLock(root, f"{root}/{STAGING}")
        self._token = secrets.token_hex(6)
        self._numbers = count()

    def try_lock(self, owner: str) -> str | None:
        """Make the folder and lock it for this process, or return who holds the lock.

        The system releases the lock however the process ends. Raises UsageError for a folder that
        cannot be used, FolderUnusable when its disk is full.
        """
        other = self._lock.take(owner)
        if other is None:
            self._has_named = self._lock.was_cut_off
            self._remove_leftovers()
        return other

    def unlock(self) -> None:
        """Release the lock. What the next pull can continue with stays, all else that was staged is
        removed."""
        if self._lock.is_held:
            self._remove_leftovers()
            self._lock.release(is_written=not self._has_named)

    def _remove_leftovers(self) -> None:
        """Remove what a process left behind that is gone: files that it was writing, files that
        have their names by now, and their lists of ranges."""
        staging = f"{self.root}/{STAGING}"
        names = os.listdir(staging)
        parts = {name for name in names if _PARTIAL(name) and _links(f"{staging}/{name}") == 1}
        for name in names:
            digest = name.removesuffix(RANGES)
            if _TEMPORARY(name) or (_PARTIAL(digest) and digest not in parts):
                with suppress(OSError):
                    os.unlink(f"{staging}/{name}")

    # What is there --------------------------------------------------------------------------

    def absolute(self, path: str) -> str:
        """The absolute path of a path relative to the folder."""
        return f"{self.root.rstrip('/')}/{path}"

    def find(self, wanted: Wanted) -> PulledPath:
        """Where the file is, or may go. Raises FileNotWritten when all its names are taken, and
        for a path that leads out of the folder."""
        if not is_inside(wanted.path) and not wanted.path.startswith(f"{STAGING}/"):
            raise FileNotWritten(f"{wanted.path!r} is no path below a folder")
        candidates = (
            wanted.path,
            spare_key(wanted.path, wanted.digest),
            spare_folder_key(wanted.path, wanted.digest),
        )
        for path in candidates:
            if path is None or not is_inside(path):
                continue
            found = self._look(path, wanted)
            if found is not Found.TAKEN:
                return PulledPath(wanted, path, found)
        raise FileNotWritten("its name and its spare name are other files'")

    def _look(self, path: str, wanted: Wanted) -> Found:
        try:
            found = os.lstat(self.absolute(path))
        except FileNotFoundError:
            return Found.FREE
        except NotADirectoryError:
            return Found.TAKEN
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # a member of an archive, or another file system
                return Found.TAKEN
            raise not_written(error) from error
        if not stat.S_ISREG(found.st_mode):
            return Found.TAKEN
        is_same_time = found.st_mtime_ns == wanted.modified_ns
        if found.st_size == wanted.size_bytes:
            is_certain = is_same_time and not self._lock.may_be_torn(found.st_ctime_ns)
            if is_certain or self.digest(path) == wanted.digest:
                return Found.THERE
            return Found.TORN if is_same_time else Found.TAKEN
        return Found.TORN if is_same_time and found.st_size < wanted.size_bytes else Found.TAKEN

    def digest(self, path: str) -> str | None:
        """The SHA-256 of a file; None for one that cannot be read."""
        try:
            with open(self.absolute(path), "rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError:
            return None

    # What is written ------------------------------------------------------------------------

    def staging_path(self, name: str | None = None) -> str:
        """The absolute path for a file that has no name yet; a new one without `name`."""
        return f"{self.root}/{STAGING}/{name or f'{self._token}-{next(self._numbers)}'}"

    def stage(self, body: Body) -> str:
        """Write a file without a name; its path. Raises FileNotWritten, FolderUnusable."""
        path = self.staging_path()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                view = memoryview(body)
                while view:
                    view = view[os.write(descriptor, view) :]
                if len(body) >= _EARLY_BYTES:
                    begin_writing_out(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise not_written(error) from error
        return path

    def name(self, staged: str, place: PulledPath) -> PulledPath:
        """Give a staged file its time and its name; where it is in the end.

        The staged file is gone then. Raises FileNotWritten, FolderUnusable.
        """
        try:
            self._has_named = True
            self._lock.mark()
            modified_ns = place.wanted.modified_ns
            if modified_ns is not None:
                os.utime(staged, ns=(modified_ns, modified_ns))
            place = self._place(staged, place)
            if place.found is Found.THERE:  # it came meanwhile
                os.unlink(staged)
        except OSError as error:
            raise not_written(error) from error
        return place

    def write_out(self) -> None:
        """Write all that was named to the disk. Raises FileNotWritten, FolderUnusable."""
        if not self._has_named:
            return
        try:
            sync_file_system(self.root)
        except OSError as error:
            raise not_written(error) from error
        self._has_named = False

    def _place(self, source: str, place: PulledPath, *, is_staged: bool = True) -> PulledPath:
        for _ in range(_TRIES):
            if place.found is Found.THERE:
                return place
            target = self.absolute(place.path)
            try:
                if place.found is not Found.TORN:
                    give_name(source, target, is_staged=is_staged)
                elif is_staged:
                    os.replace(source, target)
                else:
                    raise NotLinked
            except FileNotFoundError:
                with suppress(*_TAKEN):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                place = self.find(place.wanted)
            except _TAKEN:  # since it was looked at
                place = self.find(place.wanted)
            else:
                return place
        raise FileNotWritten("the folder changes while files are pulled into it")

    def repeat(
        self, source: PulledPath, place: PulledPath, *, links: bool
    ) -> tuple[PulledPath, bool]:
        """Give a file that has its name another one, by a hard link where the times are the same,
        else by a copy. Returns where it is, and whether it is a link. Raises as `name` does."""
        wanted, path = place.wanted, self.absolute(source.path)
        try:
            if links and os.stat(path).st_mtime_ns == wanted.modified_ns:
                with suppress(NotLinked):
                    return self._place_link(path, place), True
            staged = self.staging_path()
            shutil.copyfile(path, staged)
        except OSError as error:
            raise not_written(error) from error
        return self.name(staged, place), False

    def _place_link(self, path: str, place: PulledPath) -> PulledPath:
        try:
            return self._place(path, place, is_staged=False)
        except OSError as error:
            if error.errno in NO_LINKS:
                raise NotLinked from error
            raise


class NotLinked(Exception):
    """The file system has no hard links, or no more for this file."""


def is_inside(path: str) -> bool:
    """Whether a relative path stays below its folder, and out of the one for staged files."""
    parts = path.split("/")
    return {"", ".", ".."}.isdisjoint(parts) and "\0" not in path and parts[0] != STAGING


def not_written(error: OSError) -> FileNotWritten | FolderUnusable:
    """The error for trouble of the file system: of one file, or of the folder's whole disk."""
    if error.errno in _FULL:
        return FolderUnusable(
            f"no file can be written here: {error.strerror}", hint="Make room, and run again."
        )
    return FileNotWritten(f"it cannot be written: {error.strerror}")


def _links(path: str) -> int:
    """How many names the file has."""
    try:
        return os.stat(path).st_nlink
    except OSError:
        return 0
