"""A folder beside the manifest for a copy of it, for a while.

What is killed cannot remove its folder, so the next one that needs a folder does. Each holds a lock
on its folder, which the system releases however the process ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

_MIDDLE: Final = "-scratch-"
"""Between the manifest's name and what is random: a walk leaves out what begins like a manifest."""

_EARLIER: Final = ".bulkup-copy-*"
"""Folders of versions that locked none: nobody makes a copy for so long."""

_EARLIER_SECONDS: Final = 24 * 3600.0


@contextmanager
def scratch_folder(manifest: str) -> Iterator[str]:
    """An empty folder beside the file `manifest`, which need not be there. Raises OSError."""
    path = Path(manifest).absolute()
    with _locked(path.parent):
        _remove_left_behind(path)
        folder = mkdtemp(prefix=f"{path.name}{_MIDDLE}", dir=path.parent)
        lock = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """While a folder is made nobody looks for those that nobody has locked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_left_behind(manifest: Path) -> None:
    for folder in manifest.parent.glob(_EARLIER):
        with suppress(OSError):
            if time.time() - folder.lstat().st_mtime > _EARLIER_SECONDS:
                shutil.rmtree(folder)
    for folder in list(manifest.parent.iterdir()):
        if not folder.name.startswith(f"{manifest.name}{_MIDDLE}"):
            continue
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
