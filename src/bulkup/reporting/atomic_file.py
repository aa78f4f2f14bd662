"""Files that appear complete or not at all, for readers in other processes."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from bulkup.errors import UsageError

HEAD_BYTES = 2048
"""So many first bytes show whether a file is one of bulkup's."""


READER_SECONDS = 5.0
"""A FIFO's reader may come a little later than its writer."""


@contextmanager
def whole_file(path: str, *, mode: int) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the body ends; if the body raises, `path` is unchanged.

    The temporary file is beside it, under a name that begins with a dot and ends in `.part`, so
    that no program mistakes it for the result (the textfile collector of Prometheus' node exporter
    reads `*.prom`). A link is followed: its target is replaced. A device or a FIFO is written to
    as the body goes. The umask applies to `mode`. Raises OSError.
    """
    if _is_stream(path):
        with open(open_stream(path, os.O_WRONLY | os.O_CLOEXEC), "wb") as stream:
            yield stream
        return
    folder, name = os.path.split(os.path.realpath(path))
    part = os.path.join(folder, f".{name}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        os.unlink(part)  # left by a killed process with the same pid
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(part, os.path.join(folder, name))
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def open_stream(path: str, flags: int, mode: int = 0o600) -> int:
    """A descriptor for writing, as of `os.open`. Of a FIFO that nobody reads it raises OSError
    after a while: a plain open would wait forever and ignore signals."""
    ends_at = time.monotonic() + READER_SECONDS
    while _is_fifo(path):
        try:
            descriptor = os.open(path, flags | os.O_NONBLOCK, mode)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= ends_at:
                raise OSError(errno.ENXIO, "nobody reads this FIFO") from error
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return descriptor
    return os.open(path, flags, mode)


def _is_fifo(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _is_stream(path: str) -> bool:
    """A device, a FIFO or a descriptor (`/dev/stdout`, `>(command)`) cannot be replaced."""
    if os.path.abspath(path).startswith(("/dev/", "/proc/")):
        return True
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def check_writable(
    path: str, *, named: str, is_ours: Callable[[bytes], bool] | None = None
) -> None:
    """Raise UsageError, before any work, if `path` cannot be written. `named` is the option.

    `is_ours` says by its first bytes whether a file that is there may be replaced.
    """
    folder = os.path.dirname(os.path.realpath(path))
    hint = "Choose a file in a directory that you can write to."
    if not path:
        raise UsageError(f"{named} needs the name of a file", hint=hint)
    if os.path.isdir(path):
        why = "is a directory"
    elif _is_stream(path):
        if os.access(path, os.W_OK):
            return
        why = "is not writable"
    elif not os.path.isdir(folder):
        why = f"there is no directory {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = "its directory is not writable"
    elif is_ours is not None and not is_new_or_ours(path, is_ours):
        why, hint = (
            "is a file that bulkup did not write",
            "Choose another file, or remove it first.",
        )
    else:
        return
    raise UsageError(f"{named} {path}: {why}", hint=hint)


def is_new_or_ours(path: str, is_ours: Callable[[bytes], bool]) -> bool:
    """Whether the file is absent, empty, or begins as `is_ours` wants it. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return not head or is_ours(head)
