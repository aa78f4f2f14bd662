"""Any query of the user's, by sqlite-utils, which can only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from bulkup.errors import UsageError
from bulkup.manifest.database.sql import Statements

_STEPS = 10_000  # of SQLite's virtual machine between two looks at the time: about a millisecond

_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_FUNCTION}
)
_PRAGMAS = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"}
    | {"foreign_key_list", "database_list", "function_list", "pragma_list", "collation_list"}
    | {"user_version", "encoding", "page_count", "page_size", "freelist_count", "journal_mode"}
)
"""Those that only report; without an argument, or with the name of a table or an index."""
_NAMED = frozenset({"table_info", "table_xinfo", "index_list", "index_info", "index_xinfo"})


class QueryRows(NamedTuple):
    """The names of the columns, and the rows, which are read one by one."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class UserQueries(Statements):
    """Runs queries that the user wrote."""

    @contextmanager
    def run(
        self, sql: str, values: Mapping[str, str], *, is_over: Callable[[], bool]
    ) -> Iterator[QueryRows]:
        """One statement, with `values` for its named parameters. `is_over` says, often, whether the
        time is up. Raises UsageError with SQLite's message, also while rows are read.

        Statements that write, attach a file, change a setting or load an extension are refused.
        """
        from sqlite_utils import Database

        database = Database(self._db, recursive_triggers=False)
        self._db.set_authorizer(_authorize)
        self._db.set_progress_handler(is_over, _STEPS)
        try:
            cursor = database.execute(sql, dict(values))
            columns = tuple(one[0] for one in cursor.description or ())
            yield QueryRows(columns, iter(cursor))
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _refused(error, is_over=is_over()) from error
        finally:
            self._db.set_progress_handler(None, 0)
            self._db.set_authorizer(None)


def _authorize(
    action: int, name: str | None, argument: str | None, _database: str | None, _by: str | None
) -> int:
    """Whether a statement may do one thing (sqlite.org/c3ref/c_alter_table.html)."""
    is_allowed = action in _READS and argument != "load_extension"
    if action == sqlite3.SQLITE_PRAGMA:
        is_allowed = name in _PRAGMAS and (argument is None or name in _NAMED)
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def _refused(error: sqlite3.Error | sqlite3.Warning, *, is_over: bool) -> UsageError:
    if is_over:
        return UsageError(
            "the query took too long", hint="Give it more time: --timeout 10m; or ask for less."
        )
    is_denied = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH
    if is_denied or "not authorized" in str(error):
        return UsageError(
            f"{error}: bulkup query only reads",
            hint="docs/manifest.md describes the views: files, failures, progress, batches.",
        )
    return UsageError(str(error), hint="docs/manifest.md describes the views and their columns.")
