"""The lock of a folder that is pulled into, and what its file says after a machine went down.

The file's first line names the owner. Once the first file gets its name there is a second line: the
machine with the id of its boot, when the pull began, and since when files may lack their bytes. It
is removed with the lock, after all files are on the disk. So a pull that finds it knows that the
one before was cut off; when the machine was restarted since then, files that are there by name,
size and time may have lost their bytes, and are compared by digest.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from typing import NamedTuple

from bulkup.errors import FolderUnusable, UsageError
from bulkup.run.heartbeat import here

_NAME = "lock"
_LIMIT_BYTES = 1000
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MARGIN_NS = 60 * 10**9
"""A network file system has another clock."""


class _Unwritten(NamedTuple):
    """Files with a change time since then may not be on the disk yet."""

    machine: str
    since_ns: int
    suspect_ns: int  # since then the bytes may be lost; 0: no machine went down


class FolderLock:
    """The lock file of one folder. The system releases it however the process ends."""

    def __init__(self, root: str, staging: str) -> None:
        self._root = root
        self._staging = staging
        self._path = f"{staging}/{_NAME}"
        self._descriptor = -1
        self._owner = ""
        self._unwritten: _Unwritten | None = None
        self._is_marked = False
        self._made: list[str] = []  # the folder and those above it, if they were not there

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lock."""
        return self._descriptor >= 0

    @property
    def was_cut_off(self) -> bool:
        """Whether an earlier pull ended before its files were on the disk."""
        return self._unwritten is not None and not self._is_marked

    def may_be_torn(self, changed_ns: int) -> bool:
        """Whether a file with this change time may have lost its bytes."""
        found = self._unwritten
        return found is not None and 0 < found.suspect_ns <= changed_ns

    def take(self, owner: str) -> str | None:
        """Make the folder and lock it, or return who holds the lock. Raises UsageError for one that
        cannot be used, FolderUnusable when its disk is full."""
        try:
            self._make()
            lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            unusable = FolderUnusable if error.errno in _FULL else UsageError
            raise unusable(
                f"{self._root!r} cannot be used: {error.strerror}",
                hint="Name another folder with --into.",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self._lines(lock)[0] or "another run"
            os.close(lock)
            return other
        except OSError:  # a file system without locks
            pass
        if not self._is_current(lock):  # its last owner has removed it meanwhile
            os.close(lock)
            return self.take(owner)
        self._descriptor, self._owner = lock, owner
        self._unwritten = _suspicion(self._lines(lock)[1])
        with suppress(OSError):  # a full disk: the lock is held without its text
            self._write()
        return None

    def mark(self) -> None:
        """Say that files get their names that are not on the disk yet. Raises OSError."""
        if self._is_marked:
            return
        found, now = self._unwritten, time.time_ns() - _MARGIN_NS
        since = now if found is None else min(found.since_ns, now)
        self._unwritten = _Unwritten(here().host, since, 0 if found is None else found.suspect_ns)
        self._write()
        os.fsync(self._descriptor)
        for folder in (self._staging, self._root):  # the names of the file and its folder
            _sync_folder(folder)
        self._is_marked = True

    def release(self, *, is_written: bool) -> None:
        """Release the lock. Its file goes with the empty folder when all is on the disk, and so do
        the folders that were made for it and hold nothing."""
        if self._descriptor < 0:
            return
        with suppress(OSError):
            if is_written:
                self._unwritten = None
                self._write()
                if os.listdir(self._staging) == [_NAME]:
                    os.unlink(self._path)
                    os.rmdir(self._staging)
                    for folder in self._made:
                        os.rmdir(folder)
        os.close(self._descriptor)
        self._descriptor = -1

    def _make(self) -> None:
        folder, missing = self._root, []
        while folder and not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        os.makedirs(self._staging, exist_ok=True)
        self._made = missing or self._made

    def _is_current(self, lock: int) -> bool:
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return found.st_ino == os.fstat(lock).st_ino

    def _lines(self, lock: int) -> tuple[str, str]:
        text = os.pread(lock, _LIMIT_BYTES, 0).decode(errors="replace")
        owner, _, rest = text.partition("\n")
        return owner, rest

    def _write(self) -> None:
        found = self._unwritten
        line = "" if found is None else f"{found.machine} {found.since_ns} {found.suspect_ns}\n"
        text = f"{self._owner}\n{line}".encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _suspicion(line: str) -> _Unwritten | None:
    """What an earlier pull left; None when it ended well."""
    machine, since, suspect = (*line.split(), "", "", "")[:3]
    if not since.isdigit():
        return None
    since_ns, suspect_ns = int(since), int(suspect) if suspect.isdigit() else 0
    is_same_boot = machine == here().host and "/" in machine
    if not is_same_boot and suspect_ns == 0:
        suspect_ns = max(since_ns, 1)
    return _Unwritten(machine, since_ns, suspect_ns)
