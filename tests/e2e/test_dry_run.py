"""bulkup push --dry-run: exact, and without a trace."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, digest, make_tree, many, objects_in, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

COUNTED = (
    *("files", "new", "changed", "unchanged", "gone", "left_out", "sent", "sent_bytes"),
    *("duplicates", "duplicate_bytes", "copied", "waiting", "dead", "ready"),
)


def summary_of(bulkup: Bulkup, *args: str, check: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = bulkup(*args, "--json", check=check).lines()[-1]
    assert found["event"] == "summary"
    return found


def both(bulkup: Bulkup, *args: str, check: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a dry run foretells of a push, and what the push then does: the counts of each."""
    told = summary_of(bulkup, "push", *args, "--dry-run")
    done = summary_of(bulkup, "push", *args, check=check)
    assert told["dry_run"]
    assert not done["dry_run"]
    return {k: told[k] for k in COUNTED}, {k: done[k] for k in COUNTED}


def everything(folder: Path) -> dict[Path, tuple[int, bytes] | None]:
    """Every file's time and bytes. (SQLite's -shm comes and goes while a manifest is read.)"""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes()) if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_a_fresh_machine_stays_fresh(bulkup: Bulkup, tmp_path: Path) -> None:
    """No manifest, no directory, no store is made."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    ended = bulkup("push", "photos", "--dry-run")
    assert f"planning for the local store {bulkup.home / 'store'}" in ended.stdout
    assert "1 to upload" in ended.stdout
    assert "1 duplicate" in ended.stdout
    assert not bulkup.home.exists()


@pytest.mark.parametrize("where", ["no/such", "file", "file/below"])
def test_a_directory_that_cannot_be_used_is_told(
    bulkup: Bulkup, tmp_path: Path, where: str
) -> None:
    """In the words and with the exit code of the push."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "file").write_bytes(b"")
    told = bulkup("push", "photos", "--to", where, "--dry-run", check=4)
    done = bulkup("push", "photos", "--to", where, check=4)
    assert str(tmp_path / where) in told.stderr
    assert told.stderr == done.stderr


def test_a_folder_without_pictures_is_named(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for options in ((), ("--dry-run",)):
        said = bulkup("push", "empty", "--to", "store", *options).stdout
        assert "no picture or video was found in " in said
        assert "empty (--all-files" in said


def test_nothing_is_written_and_nothing_asked(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 20)
    s3 = fake_s3()
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket", "--limit", "5", env=env)
    make_tree(tmp_path / "photos", {"new.jpg": picture("new"), "000/00001.jpg": picture("x")})
    before, requests = everything(tmp_path), len(s3.seen)
    bulkup("push", "photos", "--dry-run", "--verbose", env=env)
    assert everything(tmp_path) == before
    assert len(s3.seen) == requests


def test_it_foretells_what_a_push_does(bulkup: Bulkup, tmp_path: Path) -> None:
    """New, changed, renamed, duplicate, gone and left out files, and those inside an archive."""
    root = many(tmp_path / "photos", 30)
    make_tree(root, {"copy.jpg": picture(3), "notes.txt": b"x"})
    told, done = both(bulkup, "photos", "--to", "store")
    assert told == done
    make_tree(root, {"000/00001.jpg": picture("changed"), "new.jpg": picture("new")})
    (root / "001/00010.jpg").rename(root / "renamed.jpg")
    (root / "002/00020.jpg").unlink()
    make_tree(root, {"back/20.jpg": picture(20), "twice.jpg": picture("new")})
    with zipfile.ZipFile(root / "z.zip", "w") as archive:
        archive.writestr("in.jpg", picture("in"))
        archive.writestr("known.jpg", picture(5))
    told, done = both(bulkup, "photos")
    assert told == done
    assert told["sent"] == 3
    told, done = both(bulkup, "photos")
    assert told == done
    assert told["sent"] == told["duplicates"] == 0


@pytest.mark.parametrize("options", [("--limit", "7"), ("--on-duplicate", "copy"), ()])
def test_it_foretells_what_options_do(
    bulkup: Bulkup, tmp_path: Path, options: tuple[str, ...]
) -> None:
    root = many(tmp_path / "photos", 20)
    make_tree(root, {"zz/copy.jpg": picture(3)})
    told, done = both(bulkup, "photos", "--to", "store", *options)
    assert told == done
    told, done = both(bulkup, "photos", *options)
    assert told == done


def test_it_names_the_keys(bulkup: Bulkup, tmp_path: Path) -> None:
    """The keys are those that the push then uses: also where two files want one key."""
    make_tree(tmp_path / "one", {"a.jpg": picture(1), "b.jpg": picture(2)})
    make_tree(tmp_path / "two", {"a.jpg": picture(3), "c.jpg": picture(2)})
    for _ in range(2):
        lines = bulkup("push", "one", "two", "--to", "store", "--dry-run", "--json").lines()
        keys = {
            line["key"]: line["digest"]
            for line in lines
            if line["event"] == "planned" and line["verdict"] == "send"
        }
        before = set(objects_in(tmp_path / "store"))
        bulkup("push", "one", "two", "--to", "store")
        after = objects_in(tmp_path / "store")
        assert keys == {k: digest(body) for k, body in after.items() if k not in before}
        make_tree(tmp_path / "one", {"a.jpg": picture(4), "d.jpg": picture(5)})


def test_the_lines_of_verbose(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "n.txt": b""})
    make_tree(root, {"b\x1b.jpg": picture(1), "z.zip": b"no archive"})
    ended = bulkup("push", "photos", "--to", "store", "--dry-run", "--verbose")
    assert f"would send {root}/a.jpg → a.jpg\n" in ended.stdout
    assert f"duplicate {root}/b\\x1b.jpg\n" in ended.stdout
    assert "ignored n.txt: no picture or video" in ended.stdout
    assert f"failed {root}/z.zip: " in ended.stdout
    assert "1 failed" in ended.stdout


def test_dead_items_are_named_and_pending_ones_would_be_sent(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    root = make_tree(tmp_path / "photos", {f"{n}.jpg": picture(n) for n in range(4)})
    s3 = fake_s3(
        faults=[
            Fault(path="*/2.jpg", times=None, status=400),
            Fault(path="*/3.jpg", times=None, status=503, retry_after_seconds=0),
        ]
    )
    env = access(s3.url)
    push = ("push", "photos", "--to", "s3://bucket", "--patience", "0s")
    bulkup(*push, env=env, check=3)
    lines = bulkup(*push, "--dry-run", "--json", env=env).lines()
    planned = {line["path"]: line["verdict"] for line in lines if line["event"] == "planned"}
    assert planned == {f"{root}/2.jpg": "dead", f"{root}/3.jpg": "send"}


def test_another_destination_gets_everything(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 5)
    bulkup("push", "photos", "--to", "store")
    told, done = both(bulkup, "photos", "--to", "other")
    assert told == done
    assert told["sent"] == 5


def test_files_from_and_single_files(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    (tmp_path / "list").write_text("a.jpg\n")
    told, done = both(bulkup, "photos", "--to", "store", "--files-from", "list")
    assert told == done
    told, done = both(bulkup, "photos/b.jpg", "--to", "store")
    assert told == done
    assert told["sent"] == 1
