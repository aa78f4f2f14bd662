"""Manifests of older schemas, brought to the newest one. The migrations are made up."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from bulkup.manifest.database.connection import connect
from bulkup.manifest.database.migrations import NEWEST, Migration, migration
from bulkup.manifest.database.schema import MIGRATIONS
from bulkup.manifest.manifest import Manifest
from tests.sql import sql
from tests.unit.manifest.recording import Pusher, recount_differs

FILES = [f"{n}.jpg" for n in range(20)]

MOOD = migration(NEWEST + 1, "ALTER TABLE asset ADD COLUMN mood TEXT;")
COUNT = migration(
    NEWEST + 2, "CREATE TABLE counted (assets); INSERT INTO counted SELECT count(*) FROM asset;"
)
BROKEN = migration(NEWEST + 2, "CREATE TABLE more (x); ALTER TABLE nowhere ADD y;")


def migrated(path: Path, *more: Migration) -> None:
    migrated_by(path, (*MIGRATIONS, *more))


def migrated_by(path: Path, steps: Sequence[Migration]) -> None:
    connect(str(path), migrations=steps).close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A manifest of today's schema, with some files."""
    found = tmp_path / "manifest.db"
    with Manifest(str(found)) as manifest:
        Pusher.begin(manifest, "a").push(*FILES)
    return found


def test_an_older_schema_is_migrated_after_a_backup_beside_it(path: Path) -> None:
    migrated(path, MOOD, COUNT)
    assert sql(path, "PRAGMA user_version") == [(NEWEST + 2,)]
    assert sql(path, "SELECT DISTINCT mood FROM asset") == [(None,)]
    assert sql(path, "SELECT assets FROM counted") == [(len(FILES),)]
    assert sql(path, "PRAGMA foreign_key_check") == []
    backup = path.with_name(f"manifest.db.schema-{NEWEST}.bak")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sql(backup, "PRAGMA integrity_check") == [("ok",)]
    with Manifest(str(backup)) as old:
        assert old.reports.status().assets == len(FILES)
        assert not recount_differs(old)


def test_a_new_manifest_is_what_the_migrations_make_of_an_empty_file(tmp_path: Path) -> None:
    """When this fails: python docs/generate.py."""
    connect(str(tmp_path / "at-once")).close()
    for steps in (MIGRATIONS[:1], MIGRATIONS):
        migrated_by(tmp_path / "in-steps", steps)
    found = [
        [
            sorted(sql(tmp_path / name, "SELECT type, name, tbl_name, sql FROM sqlite_schema")),
            sql(tmp_path / name, "SELECT * FROM asset_tally, takeout_join, pragma_user_version"),
        ]
        for name in ("at-once", "in-steps")
    ]
    assert found[0] == found[1]
    assert found[0][1] == [(0, 0, 0, 0, 0, NEWEST), (1, 0, 0, 0, 0, NEWEST)]


def test_a_manifest_of_every_former_schema_becomes_one_of_today(tmp_path: Path) -> None:
    assert len(MIGRATIONS) == NEWEST
    for number in range(1, NEWEST):
        old = tmp_path / f"{number}.db"
        migrated_by(old, MIGRATIONS[:number])
        connect(str(old)).close()
        assert sql(old, "PRAGMA user_version") == [(NEWEST,)]


def test_a_migrated_manifest_is_not_migrated_again(path: Path) -> None:
    migrated(path, MOOD)
    backup = path.with_name(f"manifest.db.schema-{NEWEST}.bak")
    backup.unlink()
    migrated(path, MOOD)
    assert not backup.exists()


def test_a_migration_that_fails_leaves_the_manifest_as_the_one_before_left_it(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrated(path, MOOD, BROKEN)
    assert sql(path, "PRAGMA user_version") == [(NEWEST + 1,)]
    assert sql(path, "SELECT name FROM sqlite_master WHERE name = 'more'") == []


def _open(path: Path, barrier: Barrier) -> None:
    barrier.wait(60)
    migrated(path, MOOD, COUNT)


def test_four_processes_that_open_it_at_once_migrate_it_once(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_open, args=(path, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sql(path, "SELECT assets FROM counted") == [(len(FILES),)]
    with closing(sqlite3.connect(path.with_name(f"manifest.db.schema-{NEWEST}.bak"))) as backup:
        assert backup.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert backup.execute("PRAGMA user_version").fetchone() == (NEWEST,)
