"""bulkup clean: shows first, removes with --yes, and harms no work under way."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, make_tree, objects_in, picture
from tests.fakes.s3_objects import Upload
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

DAY = 86_400.0


def test_nothing_to_clean(bulkup: Bulkup, tmp_path: Path) -> None:
    assert bulkup("clean").stdout == "Nothing to clean.\n"
    assert not bulkup.home.exists()
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    assert bulkup("clean", "--yes").stdout == "Nothing to clean.\n"


def test_what_is_only_shown_is_not_touched(bulkup: Bulkup, tmp_path: Path) -> None:
    """Without --yes neither the manifest nor the destination is written to."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    make_tree(tmp_path / "store", {".bulkup/tmp/old-1": b"x"})
    ago = time.time() - 2 * DAY
    for path in (tmp_path / "store/.bulkup/tmp/old-1", tmp_path / "store/.bulkup/tmp"):
        os.utime(path, (ago, ago))
    before = everything(tmp_path)
    assert "old-1" in bulkup("clean").stdout
    assert everything(tmp_path) == before


def everything(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Modification time and bytes of every file and directory."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted([folder, *folder.rglob("*")])
        if path != folder / "home"  # SQLite makes and removes its -shm file there
    }


def test_old_batches_go_and_files_stay_known(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        db.execute("UPDATE batch SET ended_at = ended_at - 31 * 86400")
        db.execute("UPDATE run SET ended_at = ended_at - 31 * 86400")
    db.close()
    shown = bulkup("clean").stdout
    assert "to remove: 1 old batch" in shown
    assert len(bulkup("history", "--json").json()) == 1
    assert "removed: 1 old batch" in bulkup("clean", "--yes").stdout
    assert bulkup("history", "--json").json() == []
    assert bulkup("push", "photos").stdout.startswith("Nothing changed")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg"}


def test_a_destination_that_never_worked_is_forgotten(bulkup: Bulkup, tmp_path: Path) -> None:
    """Its batch is resumed no more, and the root goes where it went before."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    bulkup("push", "photos", "--to", "no/such/place", check=4)
    assert bulkup("clean").stdout == "Nothing to clean.\n"
    assert bulkup("resume").stdout == "Nothing to resume.\n"
    make_tree(tmp_path / "photos", {"c.jpg": picture(3)})
    assert "1 uploaded" in bulkup("push", "photos").stdout
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "b.jpg", "c.jpg"}
    status = bulkup("status", "--json").json()
    assert status["assets"]["unique"] == status["stages"]["upload"]["done"] == 3
    assert [one["url"] for one in status["destinations"]] == [str(tmp_path / "store")]


def test_what_was_only_pushed_to_such_a_place_is_as_new(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    make_tree(tmp_path / "other", {"c.jpg": picture(3)})
    bulkup("push", "other", "--to", "store")
    bulkup("push", "photos", "--to", "no/such/place", check=4)
    bulkup("clean")
    bulkup("forget", "no/such/place", "--yes")
    assert [row["path"] for row in bulkup("files", "--json").json()] == [
        str(tmp_path / "other" / "c.jpg")
    ]
    assert "1 uploaded" in bulkup("push", "photos", "--to", "store").stdout


def test_a_root_goes_back_although_its_history_was_cleaned(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    bulkup("clean", "--yes", "--older-than", "0s")
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "no/such/place", check=4)
    bulkup("push", "photos")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "b.jpg"}


def test_a_destination_that_worked_once_stays(bulkup: Bulkup, tmp_path: Path) -> None:
    """Also when it is not there now: its disk may be."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    (tmp_path / "store").rename(tmp_path / "unplugged")
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    bulkup("push", "photos", check=4)
    bulkup("clean", "--yes", check=None)
    (tmp_path / "unplugged").rename(tmp_path / "store")
    assert "1 uploaded" in bulkup("resume").stdout


def test_leftovers_of_a_directory(bulkup: Bulkup, tmp_path: Path) -> None:
    """Temporary files go after a day."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    temporary = tmp_path / "store/.bulkup/tmp"
    make_tree(temporary, {"old-1": b"x" * 2048, "new-1": b"y"})
    ago = time.time() - 2 * DAY
    os.utime(temporary / "old-1", (ago, ago))
    assert "old-1 (2.0 KiB)" in bulkup("clean").stdout
    assert (temporary / "old-1").exists()
    bulkup("clean", "--yes")
    assert [path.name for path in temporary.iterdir()] == ["new-1"]


def test_multipart_uploads_that_nobody_finishes(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Older than a day and below the prefix; others, and those outside of it, stay."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3()
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    now = time.time()
    s3.objects.uploads.update(
        {
            "old": Upload("/bucket/p/old.mov", {}, "", begun_at=now - 2 * DAY),
            "new": Upload("/bucket/p/new.mov", {}, "", begun_at=now - 3600),
            "foreign": Upload("/bucket/other/x.mov", {}, "", begun_at=now - 2 * DAY),
        }
    )
    shown = bulkup("clean", "--json", env=env).json()
    (destination,) = shown["destinations"]
    assert [upload["key"] for upload in destination["uploads"]] == ["p/old.mov"]
    assert not shown["removed"]
    assert set(s3.objects.uploads) == {"old", "new", "foreign"}
    assert "p/old.mov" in bulkup("clean", "--yes", env=env).stdout
    assert set(s3.objects.uploads) == {"new", "foreign"}


def test_keys_that_nothing_will_fill(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        db.execute(
            "INSERT INTO object (destination_id, key, content_id, kind, size_bytes) "
            "VALUES (1, 'lost.jpg', 1, 'original', 5)"
        )
    db.close()
    assert "1 reserved key without an upload" in bulkup("clean").stdout
    bulkup("clean", "--yes")
    assert bulkup("clean").stdout == "Nothing to clean.\n"
    assert bulkup("files", "--json").json()[0]["key"] == "a.jpg"


def test_an_unreachable_destination_does_not_stop_the_others(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """It is named, and the exit code is 4."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    with FakeS3() as s3:
        env = access(s3.url)
        bulkup("push", "photos", "--to", "s3://bucket", env=env)
    bulkup("push", "photos", "--to", "store")
    make_tree(tmp_path / "store/.bulkup/tmp", {"old-1": b""})
    os.utime(tmp_path / "store/.bulkup/tmp/old-1", (0, 0))
    ended = bulkup("clean", "--yes", env=env, check=4)
    assert "s3://bucket: " in ended.stderr
    assert "removed: " in ended.stdout
    assert not (tmp_path / "store/.bulkup/tmp/old-1").exists()


def test_vectors_that_a_newer_embedder_replaced(bulkup: Bulkup, tmp_path: Path) -> None:
    """Shown with their number, removed with --yes; a reader changes nothing."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        for name, contents in (("old", (1, 2)), ("new", (1,))):
            db.execute("INSERT INTO embedder (name, version, dimension) VALUES (?, 1, 2)", (name,))
            db.executemany(
                "INSERT INTO embedding (embedder_id, content_id, vector, embedded_at) "
                "VALUES ((SELECT max(id) FROM embedder), ?, x'00000000', 0)",
                ((content,) for content in contents),
            )
    db.close()
    shown = bulkup("clean").stdout
    assert shown.startswith("to remove: 1 vector replaced by a newer embedder\nNext: ")
    assert bulkup("clean", "--json").json()["vectors"] == 1
    assert "removed: 1 vector replaced" in bulkup("clean", "--yes").stdout
    assert bulkup("clean").stdout == "Nothing to clean.\n"
    rows = bulkup("export", "--vectors").lines()
    assert [row["vector"] for row in rows] == [[0.0, 0.0], None], "what only the old one has stays"
