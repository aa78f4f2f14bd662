"""Brings a manifest to the newest schema, after a backup beside it.

`PRAGMA user_version` holds the number of the last migration that ran; 0 is a new file. A migration
is one transaction and sets user_version itself. A released one is never edited.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from bulkup.errors import ManifestCorrupt, ManifestNewer

Migration = Callable[[sqlite3.Connection], None]

APPLICATION_ID = 0x62756C6B
"""`PRAGMA application_id` of a manifest ('bulk'), so that no other database is written into."""

NEWEST = 9
"""The number of the last one among `schema.MIGRATIONS`."""

_COPY_SECONDS = 30.0
"""How long a backup waits for another process's lock."""


def migration(number: int, statements: str) -> Migration:
    """The migration that runs these statements, in one transaction."""
    script = f"BEGIN IMMEDIATE;{statements}PRAGMA user_version = {number}; COMMIT;"

    def run(connection: sqlite3.Connection) -> None:
        connection.executescript(script)

    return run


def newest_schema(migrations: Sequence[Migration]) -> str:
    """The statements that make at once what the migrations make of a new file."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for migrate_to_next in migrations:
            migrate_to_next(db)
        made = db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid").fetchall()
        made = [one for one in made if one[2] and not one[1].startswith("sqlite_")]
        statements = [f"{sql};\n" for *_, sql in made]
        for name in (name for kind, name, _ in made if kind == "table"):
            rows = db.execute(f"SELECT * FROM {name}").fetchall()
            statements += [f"INSERT INTO {name} VALUES ({', '.join(map(str, r))});\n" for r in rows]
    return "".join(statements)


def _make_newest(connection: sqlite3.Connection) -> None:
    """The newest schema in a new file, at once: with 40 % of the instructions of all migrations,
    and without loading them. It is `newest_schema` as it was written to a file."""
    made = Path(__file__).with_name("data").joinpath("schema.sql").read_text(encoding="utf-8")
    migration(NEWEST, made)(connection)


def check_version(connection: sqlite3.Connection, path: str, newest: int = NEWEST) -> int:
    """The schema's number. Raises ManifestCorrupt for another program's database, ManifestNewer
    for a schema above `newest`."""
    # Tables first: another process may be making them now, and it sets its id before.
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    if application not in (0, APPLICATION_ID) or (application == 0 and has_tables):
        raise ManifestCorrupt(
            f"{path} is an SQLite database of another program",
            hint="Name another file with --manifest.",
        )
    if version > newest:
        raise ManifestNewer(
            f"{path} was written by a newer bulkup (schema {version}; this one knows {newest})",
            hint="Upgrade bulkup.",
        )
    return version


def migrate(
    connection: sqlite3.Connection, path: str, migrations: Sequence[Migration] | None = None
) -> None:
    """Run the migrations that are missing. Other processes may do the same at the same time.

    By default they are `schema.MIGRATIONS`.
    """
    version = _version(connection)
    newest = NEWEST if migrations is None else len(migrations)
    if version == newest:
        return
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    else:
        _back_up_before(connection, path, version)
    while version < newest:
        try:
            _step(migrations, version)(connection)
        except sqlite3.OperationalError:
            # Another process may have been quicker with the same migration.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if _version(connection) <= version:
                raise
        version = _version(connection)


def _step(migrations: Sequence[Migration] | None, version: int) -> Migration:
    """What leads from a schema to a later one."""
    if migrations is not None:
        return migrations[version]
    if version == 0:
        return _make_newest
    from bulkup.manifest.database.schema import MIGRATIONS  # seldom needed, and long

    return MIGRATIONS[version]


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _back_up_before(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Keep the manifest as it is with this schema, unless another process migrates it just now.

    Nobody can write meanwhile: a copy made after another's migration would replace the real one.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) == version:
            # SQLite copies from no connection that holds the write lock itself.
            with closing(sqlite3.connect(path, timeout=_COPY_SECONDS)) as reader:
                back_up(reader, f"{path}.schema-{version}.bak")
    finally:
        connection.execute("ROLLBACK")


def back_up(connection: sqlite3.Connection, target: str) -> None:
    """Write a consistent copy of the database, readable by its owner only."""
    with suppress(FileNotFoundError):
        Path(target).unlink()
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # A lock is waited for here, for as long as for any statement: `backup` would wait forever.
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)
    finally:
        connection.execute("ROLLBACK")
