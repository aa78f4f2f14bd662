"""Whether a file is complete: unchanged for a while, and not open for writing by anybody."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from typing import Final

from bulkup.walk.roots import OPEN_FILE

BEING_WRITTEN: Final = "still being written"

WRITER_SECONDS: Final = 86400.0
"""Who has a file open for writing is asked for files that changed so recently: a writer may pause
for longer than any rest, and to ask costs an open (10 µs)."""

CLOCK_SECONDS: Final = 3600.0
"""A file that changed later than this after now has the time of another clock, which says
nothing."""


def why_not_at_rest(
    name: str, found: os.stat_result, at_rest_since: float, *, dir_fd: int | None = None
) -> str | None:
    """BEING_WRITTEN if the file changed at `at_rest_since` or later, or is open for writing.

    The change time decides (st_ctime), since copying tools set the modification time back.
    """
    changed = found.st_ctime_ns / 1e9
    if at_rest_since <= changed < at_rest_since + CLOCK_SECONDS:
        return BEING_WRITTEN
    if changed >= at_rest_since - WRITER_SECONDS and is_open_for_writing(name, dir_fd=dir_fd):
        return BEING_WRITTEN
    return None


def is_open_for_writing(name: str, *, dir_fd: int | None = None) -> bool:
    """Whether a process on this machine has the file open for writing.

    False where this cannot be known: only Linux says so, of files that the user owns. A read lease
    is refused with EAGAIN while there is a writer (fcntl(2)); it is given back at once.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fd = os.open(name, OPEN_FILE, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # SIGIO, the default, would end the process
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)
    return False
