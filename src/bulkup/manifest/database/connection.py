"""Connections to the manifest's file: the one place where SQLite's errors become ManifestError."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NoReturn, ParamSpec, TypeVar

from bulkup.errors import (
    ManifestCorrupt,
    ManifestError,
    ManifestFull,
    ManifestLocked,
    ManifestReadOnly,
)
from bulkup.manifest.database.migrations import NEWEST, Migration, check_version, migrate

P = ParamSpec("P")
R = TypeVar("R")

BUSY_SECONDS = 30.0
"""How long a statement waits for another process's transaction; those take milliseconds."""

JournalMode = Literal["wal", "delete"]

_READ_MODES = ("mode=rw", "immutable=1")
"""Ways to open a manifest for reading. `rw` may delete its -shm file afterwards and finish what a
killed writer left. `immutable` reads the last checkpoint where the directory is read-only."""


_CAUSES: tuple[tuple[tuple[int, ...], type[ManifestError], str, str], ...] = (
    (
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        ManifestCorrupt,
        "{path} is damaged or no manifest: {error}",
        "Move it away; what was pushed is still at the destination.",
    ),
    (
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL),
        ManifestLocked,
        f"{{path}} has been locked by another program for {BUSY_SECONDS:.0f} s",
        "Close the program that holds a write transaction on it, then run again.",
    ),
    (
        (sqlite3.SQLITE_FULL,),
        ManifestFull,
        "the disk is full: {path} cannot be written",
        "Free some space; nothing was half written, so just run again.",
    ),
    (
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
        ManifestReadOnly,
        "{path} cannot be opened for writing: {error}",
        "Check the permissions of the file and its directory, or name another --manifest.",
    ),
    (
        (sqlite3.SQLITE_IOERR,),
        ManifestFull,
        "{path} cannot be read or written: {error}",
        "Check the disk: space, quota and health.",
    ),
)
"""What went wrong, by SQLite's primary result code (sqlite.org/rescode.html)."""


@contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Turn sqlite3's errors about the file into ManifestError; programming errors pass through."""
    try:
        yield
    except sqlite3.Error as error:
        _raise_classified(error, path)


def _raise_classified(error: sqlite3.Error, path: str) -> NoReturn:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    for codes, kind, message, hint in _CAUSES:
        if code in codes:
            raise kind(message.format(path=path, error=error), hint=hint) from error
    raise error


def _classified(method: Callable[P, R]) -> Callable[P, R]:
    """A cursor's method that raises ManifestError."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except sqlite3.Error as error:
            cursor: Any = args[0]
            _raise_classified(error, cursor.connection.path)

    return call


class ManifestCursor(sqlite3.Cursor):
    """A cursor that raises ManifestError, also when damage appears in the middle of the rows."""

    execute = _classified(sqlite3.Cursor.execute)
    executemany = _classified(sqlite3.Cursor.executemany)
    fetchone = _classified(sqlite3.Cursor.fetchone)
    fetchall = _classified(sqlite3.Cursor.fetchall)
    __next__ = _classified(sqlite3.Cursor.__next__)  # type: ignore[arg-type]  # of Iterator, too


class ManifestConnection(sqlite3.Connection):
    """A connection whose statements raise ManifestError. Transactions are explicit.

    It may be used from any thread, by one at a time.
    """

    path: str

    def execute(self, statement: str, values: Any = (), /) -> ManifestCursor:
        return self.cursor(ManifestCursor).execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Any], /) -> ManifestCursor:
        return self.cursor(ManifestCursor).executemany(statement, rows)


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection that was opened for the caller if it cannot be made ready."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def connect(
    path: str,
    *,
    journal_mode: JournalMode = "wal",
    migrations: Sequence[Migration] | None = None,
) -> ManifestConnection:
    """Open, and create or migrate, the manifest at `path`. Raises ManifestError.

    Where the file system has no shared memory, the journal mode stays `delete` whatever is asked.
    """
    _create(path)
    connection = _open(path)
    with _closed_on_error(connection):
        with sqlite_errors(path):
            check_version(connection, path, NEWEST if migrations is None else len(migrations))
            if journal_mode == "wal":
                use_wal(connection)
            migrate(connection, path, migrations)
        connection.execute("PRAGMA foreign_keys = ON")  # not before: a migration may rebuild tables
    return connection


def connect_to_read(path: str) -> ManifestConnection | None:
    """Open the manifest for queries only; None when there is none yet.

    One of an older version is migrated first. Nothing else is written. Raises ManifestError.
    """
    if not _is_there(path):
        return None
    connection, version = open_to_read(path)
    if 0 < version < NEWEST:
        connection.close()
        connect(path).close()
        connection, version = open_to_read(path)
    if version == 0:
        connection.close()
        return None
    with _closed_on_error(connection):
        connection.execute("PRAGMA query_only = 1")
    return connection


def _is_there(path: str) -> bool:
    """Whether there is a file. Raises ManifestReadOnly where only others may look."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ManifestReadOnly(
            f"{path} cannot be read: {error.strerror}",
            hint="Name another file with --manifest, or another BULKUP_HOME.",
        ) from error
    return True


def connect_to_nothing(path: str) -> ManifestConnection:
    """An empty manifest in memory, in place of one that does not exist yet."""
    connection = _open(":memory:", name=path)
    with _closed_on_error(connection):
        migrate(connection, path)
    return connection


def open_to_read(path: str) -> tuple[ManifestConnection, int]:
    """Open a file that exists for queries, and the number of its schema. Raises ManifestError."""
    for mode in _READ_MODES:
        try:
            connection = _open(f"{Path(path).absolute().as_uri()}?{mode}", name=path)
            with _closed_on_error(connection):
                return connection, check_version(connection, path)
        except ManifestError as error:
            may_try_again = isinstance(error, ManifestReadOnly | ManifestFull)
            if not may_try_again or mode == _READ_MODES[-1]:
                raise
    raise AssertionError


def _create(path: str) -> None:
    """Make the directory and an empty file that only its owner may read, unless it is there."""
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if file.is_dir():
            raise ManifestReadOnly(f"{path} is a directory, not a manifest") from None
        return
    except OSError as error:
        kind = ManifestFull if error.errno == errno.ENOSPC else ManifestReadOnly
        raise kind(
            f"{path} cannot be made: {error.strerror}",
            hint="Name another file with --manifest, or another BULKUP_HOME.",
        ) from error
    os.close(descriptor)


def _open(target: str, *, name: str | None = None) -> ManifestConnection:
    """Open a path, ":memory:" or an URI; `name` is the path to name in errors if it differs."""
    path = name or target
    with sqlite_errors(path):
        connection = sqlite3.connect(
            target,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=ManifestConnection,
            uri=True,  # also of what is attached
        )
    connection.path = path
    with _closed_on_error(connection):
        # NORMAL under WAL: a crash of the machine may lose the last commits, never consistency;
        # work is then done again (docs/design.md).
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -16000")  # KiB
        # Every checkpoint is two fsyncs; pages that change often are then written once, not often.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")  # pages, 32 MB
    return connection


def use_wal(connection: sqlite3.Connection) -> bool:
    """Ask for WAL and read back whether it holds; the rollback journal serves where it does not.

    The busy time-out does not hold for the change of mode: SQLite would have to upgrade a shared
    lock and returns SQLITE_BUSY at once. Two first runs at one moment have to ask again.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except ManifestLocked:
            if time.monotonic() >= until:
                raise
            time.sleep(0.005)
        else:
            return mode == "wal"
