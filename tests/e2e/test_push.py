"""bulkup push to a directory: what is taken, what is sent, and under which keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.trees import digest, ignores_permissions, make_tree, objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")


def test_a_fresh_machine_needs_no_account(bulkup: Bulkup, tmp_path: Path) -> None:
    """With no destination ever given the local store is used, and the first line says so."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "sub/b.png": picture(2)})
    ended = bulkup("push", "photos")
    store = bulkup.home / "store"
    first = (ended.stderr + ended.stdout).splitlines()[0]
    assert first == f"No destination given: pushing to the local store {store}"
    assert objects_in(store) == {"a.jpg": picture(1), "sub/b.png": picture(2)}
    assert "2 uploaded" in ended.stdout
    manifest = bulkup.home / "manifest.db"
    assert manifest.stat().st_mode & 0o777 == 0o600


def test_the_default_store_does_not_need_the_default_manifest(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--manifest", "elsewhere.db")
    assert set(objects_in(bulkup.home / "store")) == {"a.jpg"}


def test_a_second_push_says_that_nothing_changed(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    store = tmp_path / "store"
    before = {path: path.stat() for path in store.rglob("*.jpg")}
    ended = bulkup("push", "photos")
    assert ended.stdout == f"Nothing changed: 2 files, all in {store}\n"
    assert {path: path.stat() for path in store.rglob("*.jpg")} == before


def test_a_root_remembers_its_destination(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "elsewhere")
    make_tree(tmp_path / "photos", {"b.jpg": picture(2)})
    bulkup("push", "photos")
    assert set(objects_in(tmp_path / "elsewhere")) == {"a.jpg", "b.jpg"}
    assert not (bulkup.home / "store").exists()


def test_a_content_is_sent_once_whatever_its_names(bulkup: Bulkup, tmp_path: Path) -> None:
    """Duplicates within a batch, across roots, across runs, and after a rename."""
    make_tree(tmp_path / "one", {"a.jpg": picture(1), "copy/a.jpg": picture(1)})
    make_tree(tmp_path / "two", {"x.jpg": picture(1), "y.jpg": picture(2)})
    ended = bulkup("push", "one", "two", "--to", "store")
    assert "2 uploaded" in ended.stdout
    assert "2 duplicates" in ended.stdout
    (tmp_path / "two/y.jpg").rename(tmp_path / "two/renamed.jpg")
    make_tree(tmp_path / "three", {"z.jpg": picture(2)})
    ended = bulkup("push", "two", "three", "--to", "store")
    assert "2 duplicates" in ended.stdout
    assert "1 deleted locally" in ended.stdout
    assert " uploaded" not in ended.stdout
    held = objects_in(tmp_path / "store")
    assert sorted(held.values()) == sorted([picture(1), picture(2)])


def test_a_changed_file_gets_a_name_of_its_own(bulkup: Bulkup, tmp_path: Path) -> None:
    """An existing object is never overwritten: name~<8 hex of the digest>.ext."""
    make_tree(tmp_path / "photos", {"sub/a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    make_tree(tmp_path / "photos", {"sub/a.jpg": picture(2)})
    bulkup("push", "photos")
    assert objects_in(tmp_path / "store") == {
        "sub/a.jpg": picture(1),
        f"sub/a~{digest(picture(2))[:8]}.jpg": picture(2),
    }


def test_an_object_of_somebody_else_is_not_overwritten(bulkup: Bulkup, tmp_path: Path) -> None:
    """Another content under the key: the spare name. The same content: adopted."""
    make_tree(tmp_path / "store", {"a.jpg": b"not ours", "b.jpg": picture(2)})
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    ended = bulkup("push", "photos", "--to", "store")
    held = objects_in(tmp_path / "store")
    assert held["a.jpg"] == b"not ours"
    assert held[f"a~{digest(picture(1))[:8]}.jpg"] == picture(1)
    assert "1 uploaded" in ended.stdout


def test_an_object_of_the_same_content_is_adopted(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    ended = bulkup("push", "photos", "--to", "store", "--manifest", "other.db")
    assert "1 already there" in ended.stdout
    assert objects_in(tmp_path / "store") == {"a.jpg": picture(1)}


def test_layout_content_names_objects_after_digests(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"A.JPG": picture(1), "sub/b.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store", "--layout", "content")
    name = digest(picture(1))
    assert objects_in(tmp_path / "store") == {f"{name[:2]}/{name[2:4]}/{name}.jpg": picture(1)}


def test_on_duplicate_copy_gives_each_file_an_object(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    ended = bulkup("push", "photos", "--to", "store", "--on-duplicate", "copy")
    assert "1 copied" in ended.stdout
    assert objects_in(tmp_path / "store") == {"a.jpg": picture(1), "b.jpg": picture(1)}
    again = bulkup("push", "photos", "--on-duplicate", "copy")
    assert again.stdout.startswith("Nothing changed")


SELECTED = {
    "a.jpg": picture("a"),
    "b.png": picture("b"),
    "drafts/c.jpg": picture("c"),
    ".hidden.jpg": picture("h"),
    "notes.txt": b"text",
    "Thumbs.db": b"junk",
    "big.jpg": picture("big", 50_000),
    "ignored.jpg": picture("ignored"),
    ".bulkupignore": b"ignored.jpg\n",
}


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ([], {"a.jpg", "b.png", "drafts/c.jpg", "big.jpg"}),
        (["--include", "*.png"], {"b.png"}),
        (["--exclude", "drafts/", "--exclude", "*.png"], {"a.jpg", "big.jpg"}),
        (["--hidden"], {"a.jpg", "b.png", "drafts/c.jpg", "big.jpg", ".hidden.jpg"}),
        (["--all-files"], {"a.jpg", "b.png", "drafts/c.jpg", "big.jpg", "notes.txt"}),
        (["--min-size", "10KiB"], {"big.jpg"}),
        (["--max-size", "10KiB"], {"a.jpg", "b.png", "drafts/c.jpg"}),
        (["--newer-than", "10d"], {"b.png", "drafts/c.jpg", "big.jpg"}),
        (["--older-than", "10d"], {"a.jpg"}),
    ],
)
def test_selection(bulkup: Bulkup, tmp_path: Path, options: list[str], taken: set[str]) -> None:
    make_tree(tmp_path / "photos", SELECTED)
    old = 1_000_000_000
    os.utime(tmp_path / "photos/a.jpg", (old, old))
    bulkup("push", "photos", "--to", "store", *options)
    assert set(objects_in(tmp_path / "store")) == taken


def test_files_from_a_list(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2), "c.x": b"c"})
    (tmp_path / "list").write_text("a.jpg\nphotos/c.x\n")
    bulkup("push", "photos", "--to", "store", "--files-from", "list")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "c.x"}


def test_a_listed_file_that_is_not_there_is_a_failure(bulkup: Bulkup, tmp_path: Path) -> None:
    """Also at the second push, until the list or the folder is right."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "list").write_text("a.jpg\nl.jpg\n")
    for _ in range(2):
        bulkup("push", "photos", "--to", "store", "--files-from", "list", check=3)
        [failed] = bulkup("status", "--failed", "--json", check=3).json()
        assert (Path(failed["path"]).name, failed["error_class"]) == ("l.jpg", "missing")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg"}
    make_tree(tmp_path / "photos", {"l.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store", "--files-from", "list")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "l.jpg"}


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("trip\n", "trip is a folder: nothing in it was taken"),
        ("trip\na.jpg\nlake\n", "lake is a folder and 1 more: nothing in it was taken"),
        (".\ntrip\ntrip/1.jpg\nlake\nlake/2.jpg\nempty\n", ""),  # as find prints them
    ],
)
def test_a_list_of_folders_is_told_what_to_do(
    bulkup: Bulkup, tmp_path: Path, lines: str, named: str
) -> None:
    photos = make_tree(
        tmp_path / "photos",
        {"a.jpg": picture(0), "trip/1.jpg": picture(1), "lake/2.jpg": picture(2)},
    )
    (photos / "empty").mkdir()
    (tmp_path / "list").write_text(lines)
    said = bulkup("push", "photos", "--to", "store", "--files-from", "list").stderr
    assert ("--files-from: " in said) == bool(named)
    assert named in said
    assert ("find FOLDER -type f" in said) == bool(named)


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_a_file_and_a_folder_of_one_name_are_both_stored(
    bulkup: Bulkup, tmp_path: Path, order: tuple[str, str]
) -> None:
    """One of them under a spare key, and a rebuild finds its file by it."""
    make_tree(tmp_path / "one", {"a/trip": picture(1)})
    make_tree(tmp_path / "two", {"a/trip/x.jpg": picture(2)})
    for root in order:
        bulkup("push", root, "--to", "store")
    spare = (
        {"a/trip": picture(1), f"a~{digest(picture(2))[:8]}/trip/x.jpg": picture(2)}
        if order[0] == "one"
        else {"a/trip/x.jpg": picture(2), f"a/trip~{digest(picture(1))[:8]}": picture(1)}
    )
    assert objects_in(tmp_path / "store") == spare
    for suffix in ("", "-wal", "-shm"):
        (bulkup.home / f"manifest.db{suffix}").unlink(missing_ok=True)
    bulkup("rebuild", "--from", "store", "--root", order[1])
    assert bulkup("push", order[1], "--to", "store").stdout.startswith("Nothing changed: 1 file")


def test_files_from_standard_input(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b\n.jpg": picture(2)})
    ended = subprocess.run(
        [PROGRAM, "push", "photos", "--to", "store", "--files-from", "-"],
        input=b"photos/b\n.jpg\0",
        env=bulkup.environment(),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert set(objects_in(tmp_path / "store")) == {"b\n.jpg"}


ODD_NAMES = [
    b"control\x01\x1b[31m.jpg",
    b"line\nbreak.jpg",
    b"invalid-\xff\xfe.jpg",
    unicodedata.normalize("NFC", "caf\u00e9.jpg").encode(),
    unicodedata.normalize("NFD", "caf\u00e9.jpg").encode(),
    "\U0001f4f7 \U0001f468\u200d\U0001f469.jpg".encode(),
    b"#hash.jpg",
    b"100%25.jpg",
    b"a+b c.jpg",
    b"-dash.jpg",
    b"~tilde.jpg",
    b"quote'\".jpg",
    b"back\\slash.jpg",
    b"x" * 251 + b".jpg",
]


def test_odd_names_keep_their_bytes(bulkup: Bulkup, tmp_path: Path) -> None:
    """Keys are the names as they are; bytes that are no UTF-8 become %XX; nothing raw is shown."""
    root = tmp_path / "photos"
    root.mkdir()
    for number, name in enumerate(ODD_NAMES):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(picture(number))
    ended = bulkup("push", "photos", "--to", "store", "--verbose")
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "\x01" not in ended.stdout + ended.stderr
    expected = {
        name.replace(b"\xff\xfe", b"%FF%FE").decode(): picture(number)
        for number, name in enumerate(ODD_NAMES)
    }
    assert objects_in(tmp_path / "store") == expected
    assert bulkup("push", "photos").stdout.startswith("Nothing changed")
    listed = bulkup("files", "--json").json()
    assert {row["key"] for row in listed} == set(expected)
    assert "\x1b" not in bulkup("files").stdout


def test_loops_and_special_files_are_left_out(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    os.mkfifo(root / "pipe.jpg")
    (root / "loop").symlink_to(root)
    (root / "link.jpg").symlink_to(root / "a.jpg")
    ended = bulkup("push", "photos", "--to", "store", "--follow-symlinks", "--verbose")
    assert "pipe.jpg: FIFO" in ended.stderr
    assert "loop/: symbolic link loop" in ended.stderr
    assert objects_in(tmp_path / "store") == {"a.jpg": picture(1)}


def test_a_destination_that_links_lead_to_is_no_source(bulkup: Bulkup, tmp_path: Path) -> None:
    """It would grow at each push."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "photos" / "up").symlink_to("..")
    for _ in range(3):
        bulkup("push", "photos", "--to", "store", "--follow-symlinks", "--on-duplicate", "copy")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg"}
    (tmp_path / "photos" / "up").unlink()
    make_tree(tmp_path / "store", {"2024/b.jpg": picture(2)})
    (tmp_path / "photos" / "year").symlink_to("../store/2024")
    ended = bulkup("push", "photos", "--follow-symlinks", "--verbose")
    assert "year/: the destination, reached from the source" in ended.stderr
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "2024/b.jpg"}


def test_links_are_left_out_by_default(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (root / "link.jpg").symlink_to(root / "a.jpg")
    ended = bulkup("push", "photos", "--to", "store")
    assert "1 ignored" in ended.stdout


def test_a_missing_root_ends_before_any_work(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    ended = bulkup("push", "photos", "no-such-place", "--to", "store", check=2)
    assert "no-such-place" in ended.stderr
    assert not (tmp_path / "store").exists()
    assert not bulkup.home.exists()


@pytest.mark.skipif(ignores_permissions(), reason="nothing is unreadable here")
def test_unreadable_things_are_dead_and_the_rest_goes_on(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(
        tmp_path / "photos",
        {"a.jpg": picture(1), "secret.jpg": picture(2), "closed/b.jpg": picture(3)},
    )
    (root / "secret.jpg").chmod(0)
    (root / "closed").chmod(0)
    try:
        bulkup("push", "photos", "--to", "store", check=3)
        failed = bulkup("status", "--failed", "--json", check=3).json()
    finally:
        (root / "closed").chmod(0o700)
    assert {(Path(row["path"]).name, row["state"], row["error_class"]) for row in failed} == {
        ("secret.jpg", "dead", "auth"),
        ("closed", "dead", "auth"),
    }
    assert objects_in(tmp_path / "store") == {"a.jpg": picture(1)}


@pytest.mark.parametrize("seconds", [13_569_465_600, -11_644_473_600], ids=["2400", "1601"])
def test_a_date_beyond_64_bits_stops_nothing(bulkup: Bulkup, tmp_path: Path, seconds: int) -> None:
    make_tree(tmp_path / "photos", {f"{name}.jpg": picture(ord(name)) for name in "abc"})
    os.utime(tmp_path / "photos/b.jpg", (seconds, seconds))
    assert "3 uploaded" in bulkup("push", "photos", "--to", "nas").stdout
    assert set(objects_in(tmp_path / "nas")) == {"a.jpg", "b.jpg", "c.jpg"}
    assert "Nothing changed" in bulkup("push", "photos", "--to", "nas").stdout


def test_an_empty_file_is_an_empty_object(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"empty.jpg": b""})
    bulkup("push", "photos", "--to", "store")
    assert objects_in(tmp_path / "store") == {"empty.jpg": b""}


def test_a_single_file_as_root(bulkup: Bulkup, tmp_path: Path) -> None:
    """A file that the user names may be of any kind; its neighbours stay where they are."""
    make_tree(tmp_path / "photos", {"notes.txt": b"text", "b.jpg": picture(2)})
    bulkup("push", "photos/notes.txt", "--to", "store")
    assert objects_in(tmp_path / "store") == {"notes.txt": b"text"}


def test_limit_leaves_the_rest_for_the_next_push(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {f"{n}.jpg": picture(n) for n in range(5)})
    ended = bulkup("push", "photos", "--to", "store", "--limit", "2")
    assert "3 to upload" in ended.stdout
    assert len(objects_in(tmp_path / "store")) == 2
    bulkup("push", "photos")
    assert len(objects_in(tmp_path / "store")) == 5


def test_max_duration_stops_in_order(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {f"{n}.jpg": picture(n, 10_000) for n in range(20)})
    ended = bulkup("push", "photos", "--to", "store", "--bwlimit", "40K", "--max-duration", "1s")
    assert "to upload" in ended.stdout
    states = bulkup("status", "--json").json()["stages"]["upload"]
    assert states["claimed"] == 0
    assert states["ready"] + states["done"] == 20


def test_a_file_that_is_gone_is_counted_and_its_object_stays(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "sub/b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    (root / "sub/b.jpg").unlink()
    ended = bulkup("push", "photos")
    assert "1 deleted locally" in ended.stdout
    assert len(objects_in(tmp_path / "store")) == 2
    assert bulkup("status", "--json").json()["assets"]["missing"] == 1
    make_tree(root, {"sub/b.jpg": picture(2)})
    bulkup("push", "photos")
    assert bulkup("status", "--json").json()["assets"]["missing"] == 0


def _push_with_a_failure(bulkup: Bulkup, tmp_path: Path) -> Path:
    """The upload of sub/x.jpg fails, as other content has all its keys."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "sub/x.jpg": picture(2)})
    mark = digest(picture(2))[:8]
    taken = ("sub/x.jpg", f"sub/x~{mark}.jpg", f"sub~{mark}/x.jpg")
    make_tree(tmp_path / "store", dict.fromkeys(taken, b"somebody's"))
    bulkup("push", "photos", "--to", "store", "--patience", "0s", check=3)
    bulkup("status", "--failed", check=3)
    return root


@pytest.mark.parametrize("gone", ["sub/x.jpg", "sub"])
def test_a_failed_file_that_was_deleted_is_no_failure(
    bulkup: Bulkup, tmp_path: Path, gone: str
) -> None:
    root = _push_with_a_failure(bulkup, tmp_path)
    (root / "sub/x.jpg").unlink()
    if gone == "sub":
        (root / "sub").rmdir()
    bulkup("push", "photos")
    bulkup("status", "--failed")
    assert "Nothing to retry" in bulkup("retry", "--failed").stdout
    assert bulkup("status", "--json").json()["stages"]["upload"]["dead"] == 0
    make_tree(root, {"sub/x.jpg": picture(2)})
    bulkup("push", "photos", "--patience", "0s", check=3)  # it is back, and so is the failure


@pytest.mark.parametrize("pattern", ["sub/x.jpg", "sub/"])
def test_a_failed_file_that_is_excluded_now_is_no_failure(
    bulkup: Bulkup, tmp_path: Path, pattern: str
) -> None:
    _push_with_a_failure(bulkup, tmp_path)
    bulkup("push", "photos", "--exclude", pattern)
    bulkup("status", "--failed")


def test_what_failed_at_one_of_two_destinations_and_was_deleted_is_no_failure(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """It stays known, since the other destination has it; should it return, it is sent again."""
    root = _push_with_a_failure(bulkup, tmp_path)
    bulkup("push", "photos", "--to", "other")
    (root / "sub/x.jpg").unlink()
    bulkup("push", "photos", "--to", "store")
    bulkup("status", "--failed")
    for folder in (tmp_path / "store").glob("sub*"):
        shutil.rmtree(folder)
    make_tree(root, {"sub/x.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    assert objects_in(tmp_path / "store")["sub/x.jpg"] == picture(2)


def test_a_missing_listed_file_counts_once_and_only_while_it_is_listed(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    (tmp_path / "list").write_text("a.jpg\nl.jpg\n")
    ended = bulkup("push", "photos", "--to", "store", "--files-from", "list", "--json", check=3)
    summary = ended.lines()[-1]
    assert (summary["left_out"], summary["dead"]) == (0, 1)
    (tmp_path / "list").write_text("a.jpg\n")
    bulkup("push", "photos", "--files-from", "list")
    bulkup("status", "--failed")


def test_a_folder_of_a_known_root_is_pushed_under_the_keys_of_that_root(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"2023/a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "nas")
    make_tree(tmp_path / "photos", {"2024/b.jpg": picture(2), "2025/c.jpg": picture(3)})
    ended = bulkup("push", "photos/2024")
    assert "lies in" in ended.stderr
    assert set(objects_in(tmp_path / "nas")) == {"2023/a.jpg", "2024/b.jpg"}


def test_a_pattern_that_is_meant_as_an_extension_is_explained(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    ended = bulkup("push", "photos", "--to", "store", "--include", "jpg")
    assert "--include jpg takes files of this name; for the type: '*.jpg'" in ended.stderr
    assert "no file was selected, 1 file ignored" in ended.stdout
