"""Opening a manifest: who may read it, which schema it has, what is refused and how."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bulkup.errors import (
    ExitCode,
    ManifestCorrupt,
    ManifestFull,
    ManifestLocked,
    ManifestNewer,
    ManifestReadOnly,
)
from bulkup.manifest.database import connection as opening
from bulkup.manifest.database.migrations import APPLICATION_ID, back_up
from bulkup.manifest.database.schema import MIGRATIONS
from bulkup.manifest.files.scans import Scans
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from tests.sql import connection_to
from tests.unit.manifest.recording import NOW, Pusher, file, folder


def pragma(path: Path, name: str) -> object:
    db = sqlite3.connect(path)
    try:
        return db.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        db.close()


def test_a_new_manifest_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "manifest.db"
    before = os.umask(0)
    try:
        with Manifest(str(path)) as manifest:
            Pusher.begin(manifest, "a").push("x.jpg")
            beside = sorted(path.parent.iterdir())
            assert [stat.S_IMODE(one.stat().st_mode) for one in beside] == [0o600] * len(beside)
            assert len(beside) > 1, "the log beside it is private, too"
    finally:
        os.umask(before)


def test_the_journal_is_a_write_ahead_log(manifest: Manifest, tmp_path: Path) -> None:
    assert pragma(tmp_path / "manifest.db", "journal_mode") == "wal"
    assert pragma(tmp_path / "manifest.db", "application_id") == APPLICATION_ID
    assert pragma(tmp_path / "manifest.db", "user_version") == len(MIGRATIONS)


def test_a_rollback_journal_serves_where_there_is_no_wal() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    assert not opening.use_wal(db), "in memory there is no WAL: it is read back, not believed"
    db.close()


def test_a_newer_schema_is_refused_with_exit_5_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    Manifest(str(path)).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ManifestNewer, match=f"schema {len(MIGRATIONS) + 1}") as caught:
        Manifest(str(path))
    assert caught.value.exit_code == ExitCode.MANIFEST
    with pytest.raises(ManifestNewer):
        Reader(str(path))
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = path.read_bytes()
    for way_in in (Manifest, Reader):
        with pytest.raises(ManifestCorrupt, match="another program"):
            way_in(str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [b"no database, but long enough to be one" * 40, b"SQLite"])
def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(damage)
    with pytest.raises(ManifestCorrupt) as caught:
        Manifest(str(path))
    assert caught.value.exit_code == ExitCode.MANIFEST
    assert caught.value.hint
    assert path.read_bytes() == damage


def test_damage_inside_is_found_by_the_check_and_named_by_every_question(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Manifest(str(path)) as manifest:
        pusher = Pusher.begin(manifest, "a")
        pusher.record(folder(new=[file(f"{n:04}.jpg") for n in range(2000)]))
    whole = bytearray(path.read_bytes())
    page = 4096
    for at in range(len(whole) // page * 3 // 4 * page, len(whole), page):  # not of the schema
        whole[at : at + 64] = b"\xff" * 64
    path.write_bytes(whole)
    with Manifest(str(path)) as manifest:
        assert manifest.integrity.damage()
    with Reader(str(path)) as reader, pytest.raises(ManifestCorrupt):
        list(reader.reports.files(None))


def test_a_directory_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestReadOnly, match="is a directory"):
        Manifest(str(tmp_path))


def test_a_place_where_nothing_can_be_written_is_named() -> None:
    with pytest.raises(ManifestReadOnly, match="/proc/none/m\\.db") as caught:
        Manifest("/proc/none/m.db")
    assert caught.value.exit_code == ExitCode.MANIFEST
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    Manifest(str(path)).close()
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ManifestReadOnly), Manifest(str(path)) as manifest:
            Pusher.begin(manifest, "a")
        with Reader(str(path)) as reader:
            assert reader.reports.status().assets == 0
    finally:
        tmp_path.chmod(0o700)


def test_a_lock_that_lasts_is_reported_after_the_busy_time(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    Manifest(str(path)).close()
    other = sqlite3.connect(path, isolation_level=None)
    with Manifest(str(path)) as manifest:
        manifest.wait_for_lock(0.05)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ManifestLocked, match="locked by another program") as caught:
            Pusher.begin(manifest, "a")
        assert caught.value.exit_code == ExitCode.MANIFEST
        other.execute("ROLLBACK")
        Pusher.begin(manifest, "a").push("x.jpg")
        assert manifest.reports.status().assets == 1
    other.close()


def test_a_full_disk_is_reported_and_nothing_is_half_written(tmp_path: Path) -> None:
    with Manifest(str(tmp_path / "m.db")) as manifest:
        pusher = Pusher.begin(manifest, "a")
        pusher.push("first.jpg")
        many = [folder(new=[file(f"{n:05}.jpg") for n in range(5000)])]
        with closing(opening.connect(manifest.path)) as db:
            db.execute("PRAGMA max_page_count = 1")  # not less than there are
            scans = Scans(db)
            with pytest.raises(ManifestFull, match="full") as caught:
                scans.record(pusher.scope, lambda: many, now=NOW, hand_over=0)
            assert caught.value.exit_code == ExitCode.MANIFEST
            assert manifest.reports.status().assets == 1
            db.execute("PRAGMA max_page_count = 1000000")
            found = scans.record(pusher.scope, lambda: many, now=NOW, hand_over=5000)
            assert len(found.works) == 5000


def test_a_reader_of_no_manifest_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Reader(str(path)) as reader:
        assert not reader.exists
    assert not path.exists()


def test_a_reader_sees_a_manifest_while_it_is_written(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    with Reader(manifest.path) as reader:
        pusher.push("x.jpg")
        assert reader.reports.status().assets == 1
        with pytest.raises(ManifestReadOnly):
            reader.destinations.add("/other", endpoint_url="", region=None, profile=None)


def test_a_manifest_that_was_copied_alone_is_whole(manifest: Manifest, tmp_path: Path) -> None:
    Pusher.begin(manifest, "a").push("x.jpg")
    back_up(connection_to(manifest), str(tmp_path / "copy.db"))
    shutil.copy(tmp_path / "copy.db", tmp_path / "other.db")
    with Reader(str(tmp_path / "other.db")) as reader:
        assert reader.reports.status().assets == 1


def _open_and_write(path: str, number: int, start: float) -> str:
    import time

    while time.time() < start:
        pass
    try:
        with Manifest(path) as manifest:
            Pusher.begin(manifest, f"run {number}", root=f"/root{number}").push(f"{number}.jpg")
    except Exception as error:
        return repr(error)
    return ""


def test_four_processes_may_make_the_same_manifest_at_once(tmp_path: Path) -> None:
    import time

    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.map(abs, range(4))  # all are up
        for round_ in range(5):
            path = str(tmp_path / f"{round_}.db")
            start = time.time() + 0.05
            calls = [(path, number, start) for number in range(4)]
            assert pool.starmap(_open_and_write, calls, chunksize=1) == [""] * 4
            with Reader(path) as reader:
                assert reader.reports.status().assets == 4
