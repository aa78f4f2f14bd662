"""Which of two processes may write into the manifest next.

SQLite waits for a lock by sleeping, a millisecond first and then longer and longer; two processes
that write in turn sleep half of the time. Here whoever comes second goes on as soon as the first
has done. Only a courtesy: that two do not write at once is SQLite's to see to.
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
        self._descriptor = os.memfd_create("turns")

    def fileno(self) -> int:
        """The descriptor, which a fork needs."""
        return self._descriptor

    def __enter__(self) -> None:
        """Wait until it is this process's turn."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.give()

    def try_acquire(self) -> bool:
        """Take the turn if it is nobody else's."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def give(self) -> None:
        """The other one may come."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
