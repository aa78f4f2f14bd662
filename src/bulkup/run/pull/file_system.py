"""What depends on the file system: a name that replaces nothing, links, syncfs, early write-out."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP})
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""Errors of a file system that has no hard links, or no more for this file."""
_libc = ctypes.CDLL(None, use_errno=True)
_renameat2 = getattr(_libc, "renameat2", None)


def sync_file_system(path: str) -> None:
    """Write everything on the file system of `path` to the disk. Raises OSError.

    syncfs(2) on Linux, else sync(2).
    """
    syncfs = getattr(_libc, "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def rename_new(source: str, target: str) -> bool:
    """Rename a file unless something has the name `target`. False where that is not possible in one
    step: nothing happened. Raises OSError, FileExistsError among them."""
    if _renameat2 is None:
        return False
    names = os.fsencode(source), os.fsencode(target)
    if _renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), target)


def give_name(source: str, target: str, *, is_staged: bool) -> None:
    """Name a file `target` unless something has that name; a staged one has no other name then.
    Raises FileExistsError."""
    if is_staged and rename_new(source, target):
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS or not is_staged:
            raise
        # No hard links here (exFAT, some network shares): create the name, then replace it.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        os.replace(source, target)
    else:
        if is_staged:
            os.unlink(source)


def begin_writing_out(descriptor: int) -> None:
    """Have what was written to an open file written to the disk soon, without waiting for it."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        with suppress(OSError):  # Linux begins to write pages that are said to be needed no more
            advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
