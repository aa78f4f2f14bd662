"""What the os module has not everywhere: syncfs(2), renameat2(2) and an early write-out."""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP})
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


def begin_writing_out(descriptor: int) -> None:
    """Have what was written to an open file written to the disk soon, without waiting for it."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        with suppress(OSError):  # Linux begins to write pages that are said to be needed no more
            advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
