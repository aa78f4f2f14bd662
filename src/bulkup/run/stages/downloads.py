"""A folder for objects that are downloaded to be processed.

A run that is killed cannot remove its folder, so the next one that needs a folder does. A run holds
a lock on a file in its folder, which the system releases however the run ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

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
