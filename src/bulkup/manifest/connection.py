"""Opening the manifest, and SQLite's errors in bulkup's words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bulkup.errors import (
    ManifestCorrupt,
    ManifestError,
    ManifestFull,
    ManifestLocked,
    ManifestNewer,
    ManifestReadOnly,
)
from bulkup.manifest.schema import MIGRATIONS

BUSY_SECONDS = 30.0
"""How long a writer waits for another process's transaction; those take milliseconds."""

APPLICATION_ID = 0x62756C6B
"""`PRAGMA application_id` of a manifest ('bulk'), so that no other database is written into."""

_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p"})


@contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Turn sqlite3's errors about the file into ManifestError; programming errors pass through."""
    try:
        yield
    except sqlite3.Error as error:
        raise _classified(error, path) from error


def _classified(error: sqlite3.Error, path: str) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ManifestCorrupt(
            f"{path} is damaged or no manifest: {error}",
            hint="Move it away; what was pushed is still at the destination.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ManifestLocked(
            f"{path} has been locked by another program for {BUSY_SECONDS:.0f} s",
            hint="Close the program that holds a write transaction on it, then run again.",
        )
    if code == sqlite3.SQLITE_FULL:
        return ManifestFull(
            f"the disk is full: {path} cannot be written",
            hint="Free some space; nothing was half written, so just run again.",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return ManifestReadOnly(
            f"{path} cannot be opened for writing: {error}",
            hint="Check the permissions of the file and its directory, or name another --manifest.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return ManifestFull(
            f"{path} cannot be read or written: {error}",
            hint="Check the disk: space, quota and health.",
        )
    return error


def connect(path: str) -> sqlite3.Connection:
    """Open, and make or migrate, the manifest at `path`. Transactions are explicit.

    The connection may be used from any thread, by one at a time. Raises ManifestError.
    """
    is_new = _prepare(path)
    with sqlite_errors(path):
        connection = _open(path)
    try:
        with sqlite_errors(path):
            _migrate(connection, path, is_new=is_new)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: str) -> sqlite3.Connection | None:
    """Open the manifest for queries only; None when there is none yet.

    Where the directory cannot be written SQLite cannot make its -shm file; the database then is
    read as it was at its last checkpoint.
    """
    if not Path(path).exists():
        return None
    with sqlite_errors(path):
        try:
            connection = _open(path)
            _check_version(connection, path)
        except ManifestError:
            raise
        except sqlite3.OperationalError:
            uri = Path(path).absolute().as_uri()
            connection = sqlite3.connect(f"{uri}?immutable=1", uri=True, check_same_thread=False)
            connection.isolation_level = None
            _check_version(connection, path)
        connection.execute("PRAGMA query_only = 1")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            connection.close()
            return None
    return connection


def _prepare(path: str) -> bool:
    """Make the directory and an empty file that only its owner may read; True when new."""
    file = Path(path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        if file.is_dir():
            raise ManifestReadOnly(f"{path} is a directory, not a manifest") from None
        return False
    except OSError as error:
        kind = ManifestFull if error.errno == 28 else ManifestReadOnly
        raise kind(
            f"{path} cannot be made: {error.strerror}",
            hint="Name another file with --manifest, or another BULKUP_HOME.",
        ) from error
    os.close(descriptor)
    return True


def _open(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    # NORMAL under WAL: a crash of the machine may lose the last commits, never consistency;
    # work is then done again (docs/design.md).
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -16000")  # KiB
    # Every checkpoint is two fsyncs; pages that change often are then written once, not often.
    connection.execute("PRAGMA wal_autocheckpoint = 8000")  # pages, 32 MB
    return connection


def _check_version(connection: sqlite3.Connection, path: str) -> int:
    # Tables first: another process may be making them now, and it sets its id before.
    has_tables = _has_tables(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application not in (0, APPLICATION_ID) or (application == 0 and has_tables):
        raise ManifestCorrupt(
            f"{path} is an SQLite database of another program",
            hint="Name another file with --manifest.",
        )
    if version > len(MIGRATIONS):
        raise ManifestNewer(
            f"{path} was written by a newer bulkup (schema {version}; this one knows "
            f"{len(MIGRATIONS)})",
            hint="Upgrade bulkup.",
        )
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _migrate(connection: sqlite3.Connection, path: str, *, is_new: bool) -> None:
    version = _check_version(connection, path)
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    use_wal(connection)
    if version == len(MIGRATIONS):
        return
    if version and not is_new:
        _back_up_before(connection, path, version)
    while version < len(MIGRATIONS):
        try:
            MIGRATIONS[version](connection)
        except sqlite3.OperationalError:
            # Another process may have been quicker with the same migration.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if connection.execute("PRAGMA user_version").fetchone()[0] <= version:
                raise
        version = connection.execute("PRAGMA user_version").fetchone()[0]


def use_wal(connection: sqlite3.Connection) -> bool:
    """Ask for WAL and read back whether it holds; the rollback journal serves where it does not.

    The busy time-out does not hold for the change of mode (it would upgrade a shared lock: SQLite
    says SQLITE_BUSY at once), so that two first runs at one moment have to ask again.
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(0.005)
        else:
            return mode == "wal"


def _back_up_before(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Keep the manifest as it is with this schema, unless another process migrates it just now.

    Nobody can write meanwhile: a copy made after another's migration would replace the real one.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == version:
            # SQLite copies from no connection that holds the write lock itself.
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as reader:
                back_up(reader, f"{path}.schema-{version}.bak")
    finally:
        connection.execute("ROLLBACK")


def back_up(connection: sqlite3.Connection, target: str) -> None:
    """A consistent copy of the manifest beside it, readable by its owner only."""
    with suppress(FileNotFoundError):
        Path(target).unlink()
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()


def network_file_system(path: str) -> str | None:
    """The type of the network file system that `path` lies on, if it does (Linux: /proc/mounts).

    WAL needs shared memory, which network file systems do not give.
    """
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    target = os.path.realpath(path)
    best, found = "", None
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, kind
    return found if found in _NETWORK_FILE_SYSTEMS else None
