"""One write transaction: all of it or nothing, with the write lock taken at its start.

BEGIN IMMEDIATE rather than DEFERRED: a transaction that reads first and then writes cannot wait
for the lock, it fails at once (SQLITE_BUSY_SNAPSHOT).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bulkup.manifest.connection import sqlite_errors


@contextmanager
def transaction(db: sqlite3.Connection, path: str) -> Iterator[None]:
    """Commit at the end, roll back when the body raises. `path` names the file in errors."""
    with sqlite_errors(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
