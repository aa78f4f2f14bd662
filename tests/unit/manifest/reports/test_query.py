"""Queries of the user's: what they may do, and how long."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.errors import ManifestCorrupt, UsageError
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader


@pytest.fixture
def path(tmp_path: Path) -> str:
    """An empty manifest."""
    with Manifest(str(tmp_path / "m.db")):
        pass
    return str(tmp_path / "m.db")


def ask(
    path: str,
    sql: str,
    values: Mapping[str, str] | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The columns and all rows of a query."""
    with (
        Reader(path) as reader,
        reader.user_queries.run(sql, values or {}, is_over=is_over) as all_,
    ):
        return all_.columns, list(all_.rows)


def test_columns_are_known_without_rows(path: str) -> None:
    assert ask(path, "SELECT path, size_bytes FROM files") == (("path", "size_bytes"), [])


def test_named_parameters_have_values(path: str) -> None:
    assert ask(path, "SELECT :a || :b AS c", {"a": "1", "b": "2"}) == (("c",), [("12",)])


def test_there_need_be_no_manifest(tmp_path: Path) -> None:
    assert ask(str(tmp_path / "none.db"), "SELECT count(*) FROM files")[1] == [(0,)]
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM asset",
        "INSERT INTO root (path) VALUES ('x')",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "DROP VIEW files",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema(1)",
        "PRAGMA wal_checkpoint",
        "SELECT load_extension('x')",
        "BEGIN IMMEDIATE",
        "REINDEX",
    ],
)
def test_what_is_no_reading_is_refused(
    path: str, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = Path(path).read_bytes()
    with pytest.raises(UsageError, match="bulkup query only reads"):
        ask(path, sql)
    assert Path(path).read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} <= {"m.db", "m.db-shm", "m.db-wal"}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT x FROM files", "no such column: x"),
        ("SELECT * FROM absent", "no such table: absent"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("SELECT :x", "binding"),
        ("SELECT abs(-9223372036854775808)", "overflow"),
    ],
)
def test_a_wrong_query_is_refused_with_the_message_of_sqlite(
    path: str, sql: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ask(path, sql)


def test_pragmas_that_report_are_allowed(path: str) -> None:
    columns, rows = ask(path, "PRAGMA table_info(files)")
    assert columns[1] == "name"
    assert "path" in {row[1] for row in rows}
    assert ask(path, "PRAGMA user_version")[1]


def test_a_query_ends_when_its_time_is_up(path: str) -> None:
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
    looks = iter([False, False])
    with pytest.raises(UsageError, match="took too long"):
        ask(path, endless, is_over=lambda: next(looks, True))


def test_the_reader_can_be_used_after_a_query(path: str) -> None:
    with Reader(path) as reader:
        with pytest.raises(UsageError), reader.user_queries.run("x", {}, is_over=lambda: True):
            pass
        with reader.user_queries.run("SELECT 1", {}, is_over=lambda: False) as found:
            assert list(found.rows) == [(1,)]
        assert reader.reports.status().assets == 0


def test_damage_met_by_a_query_is_no_fault_of_the_query(path: str) -> None:
    with Manifest(path) as manifest:
        manifest.destinations.add("s3://bucket/x", endpoint_url="", region=None, profile=None)
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA journal_mode = DELETE")
    (page,) = raw.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'destination'"
    ).fetchone()
    raw.close()
    body = bytearray(Path(path).read_bytes())
    body[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    Path(path).write_bytes(body)
    with pytest.raises(ManifestCorrupt):
        ask(path, "SELECT * FROM destination")
