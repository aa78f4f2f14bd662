"""The paths that the user named: roots, and single files."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from bulkup.errors import UsageError
from bulkup.model import FileStat, LeftOut
from bulkup.walk.listing import Draft, error_class_of, text_of

if TYPE_CHECKING:
    from bulkup.walk.filters import Rules

LISTED_FOLDER: Final = "folder: only files can be listed"

SPECIAL: Final = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}
OPEN_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # never hangs on a FIFO


def check_root(root: str) -> None:
    """Raise UsageError, naming `root`, unless it is a directory or file that can be read."""
    try:
        found = os.stat(root)
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(root):
                return
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{root}: neither a directory nor a file")
        os.close(os.open(root, os.O_RDONLY))
    except OSError as error:
        hint = "Check the path you gave."
        if isinstance(error, FileNotFoundError) and "/~" in root:
            hint = "The shell did not expand ~: leave the quotes off, or write $HOME."
        raise UsageError(f"{root}: {error.strerror}", hint=hint) from error
    except ValueError as error:  # a NUL in the path
        raise UsageError(f"{root!r}: {error}") from error


def anchor(root: str) -> str:
    """The directory that assets' paths are relative to: the root, or the parent of a file."""
    return root if os.path.isdir(root) else os.path.dirname(root) or "."


def add_named(draft: Draft, disk_path: str, folder: str, name: str, rules: Rules) -> None:
    """Add a file that the user named. Links are followed; hidden files and any kind are taken.

    Junk, patterns, sizes and dates apply.
    """
    try:
        found = os.stat(disk_path)
    except OSError as error:
        draft.left_out.append(LeftOut(folder, name, text_of(error), error_class_of(error)))
        return
    reason = rules.why_not_named(folder + name)
    if reason is None and not stat.S_ISREG(found.st_mode):
        kind = stat.S_IFMT(found.st_mode)
        reason = SPECIAL.get(kind, LISTED_FOLDER)
    if reason is None:
        reason = rules.why_not_stat(found.st_size, found.st_mtime_ns)
    if reason is not None:
        draft.left_out.append(LeftOut(folder, name, reason))
        return
    draft.files.append((name, *FileStat.of(found)))
