"""The other manifest by itself, before it is joined and when that fails."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bulkup.errors import ManifestCorrupt, ManifestNewer, UsageError
from bulkup.manifest.database.connection import connect, open_to_read
from bulkup.manifest.database.migrations import NEWEST, back_up
from bulkup.manifest.database.scratch import scratch_folder

_LOG: Final = "-wal"
_UNHARMED: Final = "This machine's manifest is as it was. Copy the other one again."


def check_other(path: str) -> None:
    """Raise UsageError or ManifestError unless there is a manifest of this schema, or an earlier
    one, at `path`; one that only a copy tells is checked when it is made."""
    if not _has_log_out_of_reach(path):
        _version_of(path)


@contextmanager
def of_this_schema(path: str, *, beside: str) -> Iterator[str]:
    """Where the manifest at `path` can be read with this schema: there, or in a copy next to the
    file `beside` for as long as the context lasts. Raises what `check_other` raises."""
    has_log = _has_log_out_of_reach(path)
    if not has_log and _version_of(path) == NEWEST:
        yield path
        return
    with scratch_folder(beside) as directory:
        copy = str(Path(directory, "manifest.db"))
        if has_log:
            for suffix in ("", _LOG):
                shutil.copyfile(path + suffix, copy + suffix)
        else:
            connection, _ = open_to_read(path)
            with closing(connection):
                back_up(connection, copy)
        _version_of(copy)
        connect(copy).close()  # migrates it
        yield copy


def _has_log_out_of_reach(path: str) -> bool:
    """Whether there is a write-ahead log that cannot be read where it is: SQLite needs to make a
    file beside it."""
    try:
        if not os.path.getsize(path + _LOG):
            return False
    except OSError:
        return False
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:  # said where it is opened
        return False
    return False


def _version_of(path: str) -> int:
    try:
        connection, version = open_to_read(path)
        connection.close()
    except ManifestCorrupt as error:
        raise ManifestCorrupt(str(error), hint=_UNHARMED) from error
    except ManifestNewer as error:
        raise ManifestNewer(str(error), hint="Install that version here, too.") from error
    if version == 0:
        raise UsageError(f"{path} is empty, or no manifest of bulkup")
    return version


def damage_of(path: str) -> ManifestCorrupt | None:
    """The error for a file that is damaged; None for one that SQLite finds no fault in."""
    try:
        connection, _ = open_to_read(path)
        with closing(connection):
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except ManifestCorrupt as error:
        found = str(error)
    if found == "ok":
        return None
    return ManifestCorrupt(
        f"{path} is damaged: {found}",
        hint="What was read of it is kept. Copy it again, and merge once more.",
    )
