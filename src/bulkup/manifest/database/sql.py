"""What all groups of statements share: transactions, and many rows in one statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from bulkup.manifest.database.connection import ManifestConnection

PARAMETERS = 1000
"""In one statement: SQLite before 3.32 takes 999, and longer statements gain nothing."""


class Statements:
    """A group of statements about one subject, on one connection.

    One thread at a time may use it. All methods raise ManifestError for trouble with the file.
    Those that only ask work on a read-only connection, too.
    """

    def __init__(self, connection: ManifestConnection) -> None:
        self._db = connection

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit at the end, roll back when the body raises.

        BEGIN IMMEDIATE takes the write lock at once. A deferred transaction that first reads and
        then writes cannot wait for the lock: it fails at once (SQLITE_BUSY_SNAPSHOT).
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _write(self, statement: str, *values: object) -> int:
        """One statement in a transaction of its own; returns how many rows it changed."""
        with self._transaction():
            return self._db.execute(statement, values).rowcount

    def _insert(self, statement: str, *values: object) -> int:
        """Insert a row, in the caller's transaction; returns its id."""
        new = self._db.execute(statement, values).lastrowid
        assert new is not None
        return new

    def _value(self, query: str, *values: object) -> Any:
        """The first column of the first row; None where there is none."""
        row = self._db.execute(query, values).fetchone()
        return None if row is None else row[0]

    def _column(self, query: str, *values: object) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._db.execute(query, values)]


def execute_rows(
    db: sqlite3.Connection,
    statement: str,
    rows: Iterable[tuple[object, ...]],
    *,
    before: tuple[object, ...] = (),
    after: tuple[object, ...] = (),
) -> int:
    """Run `statement` for all `rows`, some hundred at a time; returns how many rows it changed.

    `{rows}` in it stands for the VALUES list: `INSERT INTO t VALUES {rows}`, or
    `UPDATE t SET c = v.column2 FROM (VALUES {rows}) AS v WHERE t.id = v.column1`. What all rows
    have in common are the parameters `before` and `after` that list: to bind a value costs as much
    as to store it. The most expensive to bind are None and bytes (a bytearray is not).

    `executemany` releases the interpreter lock for every row and takes twice as long (20,000 rows
    of five columns: 17 ms against 7).
    """
    given = rows if isinstance(rows, list) else list(rows)
    if not given:
        return 0
    columns = len(given[0])
    step = max(1, (PARAMETERS - len(before) - len(after)) // columns)
    row = f"({', '.join('?' * columns)})"
    changed = 0
    for start in range(0, len(given), step):
        some = given[start : start + step]
        values = ", ".join([row] * len(some))
        parameters = [*before, *chain.from_iterable(some), *after]
        cursor = db.execute(statement.replace("{rows}", values), parameters)
        changed += cursor.rowcount
    return changed
