"""Keys as files below a directory: written whole, and exclusively where that is asked for.

All functions here block; `store.py` decides on which thread.
"""
# Paths are str: a put is a handful of system calls, and pathlib would double their cost.

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import TYPE_CHECKING, Any

from bulkup.errors import (
    KeyTaken,
    ObjectMissing,
    StoreBroken,
    StoreError,
    StoreForbidden,
    StoreFull,
    StoreRefused,
)
from bulkup.model import Attributes, Body, Digest, ObjectInfo
from bulkup.stores.directory.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".bulkup/tmp/"
PARTS = ".bulkup/parts/"
_RECORD = "user.bulkup"
_OUR_NAME = re.compile(r"\w+-[0-9]+")

_KINDS: dict[int, type[StoreError]] = {
    errno.EEXIST: KeyTaken,
    errno.EISDIR: KeyTaken,
    errno.ENOTDIR: KeyTaken,
    errno.ENOTEMPTY: KeyTaken,
    errno.ELOOP: KeyTaken,  # a link that leads to itself has the name
    errno.ENAMETOOLONG: StoreRefused,
    errno.EINVAL: StoreRefused,
    errno.EILSEQ: StoreRefused,
    errno.ENOSPC: StoreFull,
    errno.EDQUOT: StoreFull,
    errno.EFBIG: StoreFull,
    errno.EACCES: StoreForbidden,
    errno.EPERM: StoreForbidden,
    errno.EROFS: StoreForbidden,
}
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def store_error(error: OSError, key: str, *, reading: bool = False) -> StoreError:
    """The store error for an operating system error."""
    if reading and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
        return ObjectMissing(f"key {key!r}: no such file")
    if error.errno == errno.ENOTDIR:
        return KeyTaken(f"key {key!r}: a part of its path is an object already")
    kind = _KINDS.get(error.errno or 0, StoreBroken)
    return kind(f"key {key!r}: {error.strerror}", code=errno.errorcode.get(error.errno or 0))


class Files:
    """The files below `root`. The names of temporary files begin with `token`."""

    def __init__(self, root: str, *, token: str, durable: bool) -> None:
        self.root = root
        self.folder = Root(root)
        self.is_durable = durable
        self._token = token
        self._numbers = count()

    def path(self, key: str) -> str:
        """The path for `key`. Raises StoreRefused for keys that are no path below the root."""
        parts = key.split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or "\0" in key:
            raise StoreRefused(f"the key {key!r} cannot be a file below a directory")
        if key.startswith((TEMPORARY, PARTS)):
            raise StoreRefused(f"the key {key!r} is in a folder that bulkup reserves")
        if len(key) > 255 and max(len(part.encode()) for part in parts) > 255:
            raise StoreRefused(f"the key {key[:60]!r}… has a name of more than 255 bytes")
        return f"{self.root}/{key}"

    def create(self) -> tuple[int, str]:
        """A new temporary file: descriptor and path."""
        self.folder.require()
        path = f"{self.root}/{TEMPORARY}{self._token}-{next(self._numbers)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o666), path
        except FileNotFoundError:
            self.folder.make_folders(TEMPORARY)
            return os.open(path, flags, 0o666), path

    def leftovers(self, before: float) -> list[tuple[str, int]]:
        """Path and size of temporary files that were last written before a time."""
        found = []
        with suppress(OSError), self.folder.open_folder(TEMPORARY) as fd, os.scandir(fd) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has finished it
                    status = entry.stat(follow_symlinks=False)
                    is_ours = _OUR_NAME.fullmatch(entry.name) and stat.S_ISREG(status.st_mode)
                    if is_ours and status.st_mtime < before:
                        path = f"{self.root}/{TEMPORARY}{entry.name}"
                        found.append((path, status.st_size))
        return sorted(found)

    def remove_leftover(self, path: str) -> None:
        """Remove a file that `leftovers` returned, if it exists. Raises OSError."""
        with suppress(FileNotFoundError), self.folder.open_folder(TEMPORARY) as fd:
            os.unlink(os.path.basename(path), dir_fd=fd)

    def write(
        self,
        key: str,
        body: Body,
        digest: Digest | None,
        attributes: Attributes,
        *,
        exclusive: bool,
    ) -> None:
        """Put `body` at `key`. Raises OSError; FileExistsError when the key is taken."""
        target = self.path(key)
        fd, temporary = self.create()
        try:
            try:
                view = memoryview(body)
                while view:
                    view = view[os.write(fd, view) :]
                self.finish(fd, digest, attributes)
            finally:
                os.close(fd)
            self.place(temporary, target, exclusive=exclusive)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)

    def finish(self, fd: int, digest: Digest | None, attributes: Attributes) -> None:
        """Set mtime and extended attribute, and sync."""
        modified_ns = _modified_ns(attributes.metadata.get("mtime"))
        if modified_ns is not None:
            os.utime(fd, ns=(modified_ns, modified_ns))
        found = os.fstat(fd)
        record = {
            "sha256": digest,
            "content_type": attributes.content_type,
            "metadata": dict(attributes.metadata),
            "size_bytes": found.st_size,
            "modified_ns": found.st_mtime_ns,
        }
        if hasattr(os, "setxattr"):
            with suppress(OSError):  # not supported here, or the record is too long
                os.setxattr(fd, _RECORD, json.dumps(record).encode())
        self.sync(fd)

    def sync(self, fd: int) -> None:
        """Flush the file's bytes to the disk, if the store is durable."""
        if self.is_durable:
            os.fsync(fd)

    def place(self, temporary: str, target: str, *, exclusive: bool) -> None:
        """Move a finished temporary file to its place; creates the folders above."""
        put = _link if exclusive else os.replace
        for _ in range(3):  # `remove` may remove an empty folder between the two steps
            try:
                put(temporary, target)
            except FileNotFoundError:
                self.folder.make_folders(os.path.dirname(target)[len(self.root) + 1 :])
            else:
                return
        put(temporary, target)

    def info(self, key: str) -> ObjectInfo:
        """Size, times and attributes of the file. Raises OSError."""
        path = self.path(key)
        found = os.stat(path)
        if not os.path.isfile(path):
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        record: dict[str, Any] = {}
        if hasattr(os, "getxattr"):
            with suppress(OSError, ValueError):
                record = json.loads(os.getxattr(path, _RECORD))
        same = (record.get("size_bytes"), record.get("modified_ns")) == (
            found.st_size,
            found.st_mtime_ns,
        )
        return ObjectInfo(
            key=key,
            size_bytes=found.st_size,
            modified_at=found.st_mtime,
            digest=record.get("sha256") if same else None,
            content_type=record.get("content_type"),
            metadata=record.get("metadata") or {},
        )

    def copy(self, source_key: str, key: str, *, exclusive: bool) -> None:
        """Copy a file with its times and extended attributes. Raises OSError."""
        source, target = self.path(source_key), self.path(key)
        fd, temporary = self.create()
        os.close(fd)
        try:
            shutil.copyfile(source, temporary)
            shutil.copystat(source, temporary)
            with open(temporary, "rb") as file:
                self.sync(file.fileno())
            self.place(temporary, target, exclusive=exclusive)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)

    def remove(self, key: str) -> None:
        """Remove the file, and the folders above it that become empty."""
        path = self.path(key)
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
        folder = os.path.dirname(path)
        with suppress(OSError):
            while len(folder) > len(self.root):
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    def walk(self, prefix: str, folder: str = "") -> Iterator[ObjectInfo]:
        """All files whose key starts with `prefix`, in UTF-8 byte order of their keys.

        Memory holds the names of one folder for each level. Names that are no UTF-8 are left out,
        and links to folders are not followed.
        """
        entries = []
        with suppress(FileNotFoundError), os.scandir(f"{self.root}/{folder}") as found:
            for entry in found:
                deeper = entry.is_dir(follow_symlinks=False)
                key = f"{folder}{entry.name}/" if deeper else folder + entry.name
                if key in (TEMPORARY, PARTS) or not (
                    key.startswith(prefix) or (deeper and prefix.startswith(key))
                ):
                    continue
                with suppress(UnicodeEncodeError):
                    entries.append((key.encode(), key, deeper, entry))
        entries.sort(key=lambda item: item[0])
        for _, key, deeper, entry in entries:
            if deeper:
                yield from self.walk(prefix, key)
                continue
            if (status := _file_status(entry)) is not None:
                yield ObjectInfo(key, status.st_size, modified_at=status.st_mtime)


def _file_status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Of a file or a link to one; None for anything else, links to nothing or in a loop among it.
    Raises OSError."""
    try:
        return entry.stat() if entry.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise


def _link(temporary: str, target: str) -> None:
    """Name the file `target` unless something has that name. Raises FileExistsError."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # No hard links here (exFAT, some network shares): create the name, then replace it. A
        # crash in between leaves an empty file, which `verify` finds.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        os.replace(temporary, target)


def _modified_ns(seconds: str | None) -> int | None:
    """A decimal number of seconds in nanoseconds; None for anything else."""
    try:
        value = int(Decimal(seconds) * 1_000_000_000) if seconds else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return value if value is not None and abs(value) < 2**63 else None
