"""A whole file system, written to the disk."""

from __future__ import annotations

import ctypes
import os


def sync_file_system(path: str) -> None:
    """Write everything on the file system of `path` to the disk. Raises OSError.

    syncfs(2) on Linux, else sync(2).
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
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
