"""A lock that tells two processes which of them may write into the manifest next.

SQLite waits for its lock by sleeping, a millisecond first and then longer and longer; two processes
that write in turn sleep half of the time. With this lock the second one continues as soon as the
first is done. It is advisory: SQLite itself makes sure that two do not write at once.
"""

from __future__ import annotations

import fcntl
import os


class WriteLock:
    """One lock for a process and its forks. The kernel gives it back for a process that dies.

    Linux only (memfd_create). Locks of this kind belong to a process: within one, whoever asks
    gets it.
    """

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("write-lock")

    def fileno(self) -> int:
        """The descriptor, which a fork has to keep open."""
        return self._descriptor

    def __enter__(self) -> None:
        """Wait for the lock."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.release()

    def try_acquire(self) -> bool:
        """Take the lock if no other process has it."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Let the other process write."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
