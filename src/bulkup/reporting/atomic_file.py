"""Files that others read while they are written: there whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from bulkup.errors import UsageError


@contextmanager
def whole_file(path: str, *, mode: int) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the body ends, and never before.

    When the body raises, `path` is as it was. The temporary file lies beside it, under a name
    that begins with a dot and ends in `.part`: no program takes it for the result (the textfile
    collector of Prometheus' node exporter reads `*.prom`). `mode` is lessened by the umask.
    Raises OSError.
    """
    folder, name = os.path.split(os.path.abspath(path))
    part = os.path.join(folder, f".{name}.{os.getpid()}.part")
    with suppress(FileNotFoundError):
        os.unlink(part)  # of a killed process that had our pid
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
    """Raise UsageError, before any work, when no file can be made at `path`.

    `named` is what the user called it by: a flag, or a flag and its argument.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        why = "it is a folder"
    elif not os.path.isdir(folder):
        why = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = "its folder cannot be written to"
    else:
        return
    raise UsageError(f"{named} {path}: {why}", hint="Name a file in a folder you may write.")
