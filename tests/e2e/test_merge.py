"""bulkup merge: the manifests of several machines that push to one place."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bulkup.manifest.database.connection import connect
from bulkup.manifest.database.schema import MIGRATIONS
from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import asked, photo
from tests.e2e.trees import make_tree

TREES = {
    "here": {"one.jpg": photo(1), "two.jpg": photo(2), "sub/again.jpg": photo(1)},
    "laptop": {"two.jpg": photo(2), "three.jpg": photo(3), "two.jpg.xmp": b"<x/>"},
    "nas": {"one.jpg": photo(1), "three.jpg": photo(3), "deep/er/four.jpg": photo(4)},
}
TABLES = (
    "content",
    "asset",
    "folder",
    "root",
    "object",
    "item",
    "picture",
    "embedding",
    "album",
    "album_asset",
    "run",
    "batch",
    "batch_run",
    "batch_root",
    "attempt",
    "tally",
    "asset_tally",
    "sidecar",
    "sidecar_unread",
)


def pretend_host(manifest: Path, name: str) -> None:
    """All runs were on another machine."""
    with closing(sqlite3.connect(manifest)) as db, db:
        db.execute("UPDATE run SET host = ?", (f"{name}/boot.1",))
    db.close()


def dump(manifest: Path) -> dict[str, list[Any]]:
    return {table: asked_all(manifest, f"SELECT * FROM {table} ORDER BY 1") for table in TABLES}


def asked_all(manifest: Path, query: str) -> list[Any]:
    db = sqlite3.connect(f"file:{manifest}?mode=ro", uri=True)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


@pytest.fixture
def hosts(tmp_path: Path) -> dict[str, Bulkup]:
    """Three machines with the same path of their photos, pushed to one store by content."""
    made = {}
    for name, files in TREES.items():
        host = Bulkup(tmp_path / name)
        tree = make_tree(tmp_path / name / "photos", files)
        to = ("--to", tmp_path / "store", "--layout", "content", "--album-from-folder")
        host("push", tree, *to)
        if name != "here":
            pretend_host(host.home / "manifest.db", name)
        made[name] = host
    return made


def others(hosts: dict[str, Bulkup]) -> list[Path]:
    return [hosts[name].home / "manifest.db" for name in ("laptop", "nas")]


def test_three_manifests_are_one_and_merging_again_changes_nothing(
    hosts: dict[str, Bulkup],
) -> None:
    here = hosts["here"]
    report = here("merge", *others(hosts), "--json").json()
    assert [one["host"] for one in report] == ["laptop", "nas"]
    assert [one["conflicts"] for one in report] == [[], []]
    assert report[0]["added"]["assets"] == report[1]["added"]["assets"] == 3
    manifest = here.home / "manifest.db"
    once = dump(manifest)
    again = here("merge", *others(hosts), "--json").json()
    assert all(not any(one["added"].values()) for one in again)
    assert dump(manifest) == once
    found = here("status", "--json").json()
    assert found["assets"]["total"] == 9
    assert found["stages"]["embed"]["done"] == 4
    assert len(here("verify", "--json").json()) == 0
    assert asked(manifest, "SELECT count(*) FROM pragma_foreign_key_check") == [0]
    assert asked(manifest, "PRAGMA integrity_check") == ["ok"]


def test_a_path_is_one_file_on_each_host(hosts: dict[str, Bulkup]) -> None:
    here = hosts["here"]
    here("merge", *others(hosts))
    rows = asked_all(here.home / "manifest.db", "SELECT host, path FROM files ORDER BY 1, 2")
    assert [path for host, path in rows if host == "nas"] == [
        "deep/er/four.jpg",
        "one.jpg",
        "three.jpg",
    ]
    assert [path for host, path in rows if host == ""] == ["one.jpg", "sub/again.jpg", "two.jpg"]


def test_pull_gives_the_tree_of_each_host(hosts: dict[str, Bulkup], tmp_path: Path) -> None:
    here = hosts["here"]
    here("merge", *others(hosts))
    for name, files in TREES.items():
        root = str(tmp_path / name / "photos")
        into = tmp_path / "back" / name
        into.mkdir(parents=True)
        here("pull", "--root", root if name == "here" else f"{name}:{root}", "--into", into)
        assert {
            str(path.relative_to(into)): path.read_bytes()
            for path in into.rglob("*")
            if path.is_file()
        } == files


def test_what_is_pushed_later_there_comes_with_the_next_merge(
    hosts: dict[str, Bulkup], tmp_path: Path
) -> None:
    here, nas = hosts["here"], hosts["nas"]
    here("merge", *others(hosts))
    tree = make_tree(tmp_path / "nas" / "photos", {"five.jpg": photo(5), "one.jpg": photo(6)})
    nas("push", tree)
    pretend_host(nas.home / "manifest.db", "nas")
    (report,) = here("merge", nas.home / "manifest.db", "--json").json()
    assert report["added"]["assets"] == 1
    assert report["conflicts"] == []
    rows = asked_all(
        here.home / "manifest.db",
        "SELECT path, upload, embed FROM files WHERE host = 'nas' AND digest = "
        "(SELECT digest FROM files WHERE path = 'one.jpg' AND host = 'nas')",
    )
    assert rows == [("one.jpg", "done", "done")]
    assert here("verify", "--json").json() == []


def test_what_is_not_done_there_is_done_here(tmp_path: Path) -> None:
    """Its object is in the bucket: any host can process it."""
    here, there = Bulkup(tmp_path / "here"), Bulkup(tmp_path / "there")
    for host, seed in ((here, 1), (there, 2)):
        tree = make_tree(host.directory / "photos", {f"{seed}.jpg": photo(seed)})
        host("push", tree, "--to", tmp_path / "store", "--stages", "upload")
    pretend_host(there.home / "manifest.db", "there")
    here("merge", there.home / "manifest.db")
    here("process")
    here("embed")
    assert here("status", "--json").json()["stages"]["embed"]["done"] == 2


def test_what_differs_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """Two manifests of one machine, which saw the same file with other bytes."""
    first, second = Bulkup(tmp_path / "first"), Bulkup(tmp_path / "second")
    for one in (first, second):
        one.directory.mkdir()
    tree, to = tmp_path / "photos", ("--to", tmp_path / "store", "--stages", "upload")
    first("push", make_tree(tree, {"a.jpg": photo(1)}), *to)
    second("push", make_tree(tree, {"a.jpg": photo(2)}), *to)
    ended = first("merge", second.home / "manifest.db")
    assert "1 files that differ; this manifest's version is kept" in ended.stdout
    assert str(tree / "a.jpg") in ended.stdout
    (report,) = first("merge", second.home / "manifest.db", "--json").json()
    assert report["conflicts"][0]["count"] == 1
    known = asked(first.home / "manifest.db", "SELECT count(*) FROM object")
    assert known == [2]  # the object of the other version, too
    assert first("verify", "--json").json() == []


@pytest.mark.parametrize(
    ("other", "said"),
    [("missing.db", "there is no manifest"), ("manifest.db", "this machine's own manifest")],
)
def test_what_cannot_be_merged_is_a_usage_error(
    bulkup: Bulkup, tmp_path: Path, other: str, said: str
) -> None:
    tree = make_tree(tmp_path / "photos", {"a.jpg": photo(1)})
    bulkup("push", tree, "--to", tmp_path / "store", "--stages", "upload")
    ended = bulkup("merge", bulkup.home / other, check=2)
    assert said in ended.stderr


def test_a_file_that_is_no_manifest_changes_nothing(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(b"no database, but long enough to have a header" * 100)
    bulkup("merge", tmp_path / "other.db", check=5)
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    assert "no manifest" in bulkup("merge", tmp_path / "empty.db", check=2).stderr


def pushed(bulkup: Bulkup, files: int = 2) -> Path:
    """A copy of a manifest with so many files, as another machine would send it."""
    tree = make_tree(bulkup.directory / "photos", {f"{n}.jpg": b"%d" % n for n in range(files)})
    bulkup("push", tree, "--to", bulkup.directory / "store", "--stages", "upload")
    copy = bulkup.directory / "other.db"
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        db.execute("VACUUM INTO ?", (str(copy),))
    db.close()
    return copy


@pytest.fixture
def merging(tmp_path: Path) -> Bulkup:
    """A manifest of its own, with one file."""
    (tmp_path / "here").mkdir()
    bulkup = Bulkup(tmp_path / "here")
    pushed(bulkup, 1)
    return bulkup


def test_a_database_of_another_program_is_named_and_nothing_is_merged(
    bulkup: Bulkup, merging: Bulkup, tmp_path: Path
) -> None:
    """Also where its own version has the number of bulkup's, and after one that could be merged."""
    other, before = pushed(bulkup), dump(merging.home / "manifest.db")
    with closing(sqlite3.connect(tmp_path / "foreign.db")) as db, db:
        db.execute("CREATE TABLE run (id)")
        db.execute("PRAGMA user_version = 1")
    db.close()
    ended = merging("merge", other, tmp_path / "foreign.db", check=5)
    assert "foreign.db is an SQLite database of another program" in ended.stderr
    assert dump(merging.home / "manifest.db") == before


def test_damage_in_the_other_manifest_is_not_blamed_on_this_one(
    bulkup: Bulkup, merging: Bulkup
) -> None:
    other = pushed(bulkup, 600)
    root = asked(other, "SELECT rootpage FROM sqlite_schema WHERE name = 'content'")[0]
    page = asked(other, "SELECT page_size FROM pragma_page_size")[0]
    with other.open("r+b") as file:
        file.seek((root - 1) * page)
        file.write(b"\xff" * page)
    ended = merging("merge", other, check=5)
    assert f"{other} is damaged" in ended.stderr
    assert str(merging.home) not in ended.stderr
    merging("status")
    assert merging("verify", "--json").json() == []


def test_gaps_between_ids_cost_nothing(bulkup: Bulkup, merging: Bulkup) -> None:
    """Ids are never used again, and may be high."""
    other = pushed(bulkup)
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("UPDATE attempt SET id = id + (1 << 60)")
        db.execute("UPDATE asset SET id = id + (1 << 60)")
    db.close()
    merging("merge", other, "--host", "nas")
    assert len(merging("files", "--json").json()) == 3


@pytest.mark.parametrize("name", ["", "a:b", "../up", "a b", "-x"])
def test_a_host_that_is_no_name_is_refused(bulkup: Bulkup, name: str) -> None:
    other = pushed(bulkup)
    ended = bulkup("merge", other, f"--host={name}", check=2)
    assert "is no name of a machine" in ended.stderr


def test_what_another_program_is_writing_is_merged_as_far_as_it_is_recorded(
    bulkup: Bulkup, merging: Bulkup
) -> None:
    """A push may be at work there: neither waits for the other."""
    pushed(bulkup)
    with closing(sqlite3.connect(bulkup.home / "manifest.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM asset")
        merging("merge", bulkup.home / "manifest.db", "--host", "nas")
        writer.execute("ROLLBACK")
    assert len(merging("files", "--json").json()) == 3


def test_a_manifest_on_a_medium_that_cannot_be_written_is_merged(
    bulkup: Bulkup, merging: Bulkup
) -> None:
    """In WAL mode still. A folder in the place of its -shm file is as good as no permission."""
    pushed(bulkup)
    copy = bulkup.directory / "medium" / "manifest.db"
    copy.parent.mkdir()
    shutil.copy(bulkup.home / "manifest.db", copy)
    copy.with_name("manifest.db-shm").mkdir()
    merging("merge", copy, "--host", "nas")
    assert len(merging("files", "--json").json()) == 3


def test_a_manifest_of_a_newer_bulkup_is_refused_before_anything_is_changed(
    bulkup: Bulkup, merging: Bulkup
) -> None:
    other, before = pushed(bulkup), dump(merging.home / "manifest.db")
    with closing(sqlite3.connect(other)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version + 1}")
    ended = merging("merge", other, check=5)
    assert f"{other} was written by a newer bulkup" in ended.stderr
    assert dump(merging.home / "manifest.db") == before


def earlier(manifest: Path, target: Path) -> Path:
    """The same manifest as a bulkup of the schema before had it."""
    connect(str(target), journal_mode="delete", migrations=MIGRATIONS[:-1]).close()
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("ATTACH ? AS now", (str(manifest),))
        triggers = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")  # counts are copied, too
        for (table,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'"
        ).fetchall():
            names = ", ".join(
                row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))
            )
            db.execute(f"DELETE FROM {table}")
            db.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM now.{table}")
        for _, statement in triggers:
            db.execute(statement)
    return target


def test_a_manifest_of_an_earlier_schema_is_migrated_in_a_copy(
    bulkup: Bulkup, merging: Bulkup
) -> None:
    """The folder of the copy is removed, and one that a killed merge left; not one in use."""
    other = earlier(pushed(bulkup), bulkup.directory / "earlier.db")
    before = other.read_bytes()
    merging("files")
    killed, used = (merging.home / f"manifest.db-scratch-{name}" for name in ("killed", "used"))
    for folder in (killed, used):
        folder.mkdir(parents=True)
        (folder / "manifest.db").write_bytes(before[:5000])
    lock = os.open(used, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (report,) = merging("merge", other, "--host", "nas", "--json").json()
    assert report["manifest"] == str(other)
    assert report["added"]["assets"] == 2
    assert len(merging("files", "--json").json()) == 3
    assert other.read_bytes() == before
    os.close(lock)
    assert [path.name for path in merging.home.iterdir() if "scratch" in path.name] == [used.name]
    (again,) = merging("merge", other, "--host", "nas", "--json").json()
    assert not any(again["added"].values())


def test_what_is_only_in_the_log_of_a_manifest_on_a_medium_is_merged(
    bulkup: Bulkup, merging: Bulkup
) -> None:
    """Copied while a push was at work there, or after one was killed."""
    pushed(bulkup)
    copy = bulkup.directory / "medium" / "manifest.db"
    copy.parent.mkdir()
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE asset SET name = 'later-' || name")
        writer.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{bulkup.home / 'manifest.db'}{suffix}", f"{copy}{suffix}")
    copy.with_name("manifest.db-shm").mkdir()
    merging("merge", copy, "--host", "nas")
    found = [Path(one["path"]).name for one in merging("files", "--json").json()]
    assert sorted(found) == ["0.jpg", "later-0.jpg", "later-1.jpg"]


def test_each_file_stays_at_the_destination_of_its_own_manifest(
    bulkup: Bulkup, merging: Bulkup, tmp_path: Path
) -> None:
    """Two hosts with two stores, and one content that both have."""
    other = pushed(bulkup, 2)
    merging("merge", other, "--host", "nas")
    stores = {str(one.directory / "store") for one in (bulkup, merging)}
    found = merging("status", "--json").json()
    assert {one["url"] for one in found["destinations"]} == stores
    assert merging("verify", "--json").json() == []
    into = tmp_path / "back"
    into.mkdir()
    merging("pull", "--root", f"nas:{bulkup.directory / 'photos'}", "--into", into)
    assert {path.name: path.read_bytes() for path in into.iterdir()} == {
        "0.jpg": b"0",
        "1.jpg": b"1",
    }


def test_facts_and_vectors_that_differ_are_told_and_this_manifest_keeps_its_own(
    bulkup: Bulkup,
) -> None:
    tree = make_tree(bulkup.directory / "photos", {"a.jpg": photo(1)})
    bulkup("push", tree, "--to", bulkup.directory / "store")
    manifest, other = bulkup.home / "manifest.db", bulkup.directory / "other.db"
    with closing(sqlite3.connect(manifest)) as db:
        db.execute("VACUUM INTO ?", (str(other),))
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("UPDATE picture SET width_px = width_px + 1")
        db.execute("UPDATE embedding SET vector = zeroblob(length(vector))")
    before = dump(manifest)
    (report,) = bulkup("merge", other, "--json").json()
    assert {one["what"]: one["count"] for one in report["conflicts"]} == {
        "pictures of which the other manifest has other facts": 1,
        "pictures of which the other manifest has another vector": 1,
    }
    assert dump(manifest) == before
