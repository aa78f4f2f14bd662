"""Files that appear complete or not at all, for readers in other processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from bulkup.errors import UsageError


@contextmanager
def whole_file(path: str, *, mode: int) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the body ends; if the body raises, `path` is unchanged.

    The temporary file is beside it, under a name that begins with a dot and ends in `.part`, so
    that no program mistakes it for the result (the textfile collector of Prometheus' node exporter
    reads `*.prom`). The umask applies to `mode`. Raises OSError.
    """
    folder, name = os.path.split(os.path.abspath(path))
    part = os.path.join(folder, f".{name}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        os.unlink(part)  # left by a killed process with the same pid
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def check_writable(path: str, *, named: str) -> None:
    """Raise UsageError, before any work, if `path` cannot be written. `named` is the option."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        why = "is a directory"
    elif not os.path.isdir(folder):
        why = f"there is no directory {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = "its directory is not writable"
    else:
        return
    raise UsageError(
        f"{named} {path}: {why}", hint="Choose a file in a directory that you can write to."
    )
