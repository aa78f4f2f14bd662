"""Files with a new time and their old bytes: unchanged in every count, and read only once more."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import make_tree, objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")

COUNTED = ("new", "changed", "unchanged", "sent", "adopted", "duplicates", "copied", "exit_code")
LATER_NS = 1_600_000_000_000_000_000


def pushed(bulkup: Bulkup, *options: str) -> dict[str, Any]:
    """What a push says, which is what its dry run said before it; counts of 0 are left out."""
    *_, told = bulkup("push", "photos", *options, "--dry-run", "--json").lines()
    *events, done = bulkup("push", "photos", *options, "--json").lines()
    counts = {name: done[name] for name in COUNTED if done[name]}
    assert {name: told[name] for name in COUNTED if told[name]} == counts
    assert done["stages"]["upload"]["unchanged"] == done["unchanged"]
    files = [(e["how"], Path(e["path"]).name) for e in events if e["event"] == "uploaded"]
    return {**counts, "files": files}


def touch(*paths: Path) -> None:
    for path in paths:
        os.utime(path, ns=(LATER_NS, LATER_NS))


def is_read_again(bulkup: Bulkup) -> bool:
    """Whether the next push takes any file for changed."""
    lines = bulkup("push", "photos", "--json").lines()
    return any(line["changed"] or line["new"] for line in lines if line["event"] == "root_walked")


def test_a_touched_file_is_unchanged(bulkup: Bulkup, tmp_path: Path) -> None:
    """An original, one of two equal files, and the other one; beside a file that did change."""
    tree = {"a.jpg": picture(1), "b.jpg": picture(2), "c.jpg": picture(2), "d.jpg": picture(3)}
    root = make_tree(tmp_path / "photos", tree)
    bulkup("push", "photos", "--to", "store")
    touch(root / "a.jpg", root / "b.jpg", root / "c.jpg")
    make_tree(root, {"d.jpg": picture(4)})
    before = objects_in(tmp_path / "store")
    assert pushed(bulkup) == {
        "changed": 1,
        "unchanged": 3,
        "sent": 1,
        "files": [("sent", "d.jpg")],
    }
    assert len(objects_in(tmp_path / "store")) == len(before) + 1
    status = bulkup("status", "--json").json()
    assert (status["assets"]["unique"], status["assets"]["duplicates"]) == (3, 1)
    assert not is_read_again(bulkup)


def test_a_push_of_touched_files_alone_says_that_nothing_changed(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    touch(root / "a.jpg")
    ended = bulkup("push", "photos")
    assert ended.stdout == f"Nothing changed: 2 files, all in {tmp_path / 'store'}\n"


def test_a_file_that_was_away_and_is_back_with_a_new_time_is_unchanged(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    (root / "a.jpg").unlink()
    bulkup("push", "photos")
    make_tree(root, {"a.jpg": picture(1)})
    assert pushed(bulkup) == {"unchanged": 2, "files": []}


def test_a_file_that_was_moved_and_touched_is_what_a_moved_file_is(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    (root / "a.jpg").rename(root / "moved.jpg")
    touch(root / "moved.jpg")
    counts = pushed(bulkup)
    assert counts == {
        "new": 1,
        "unchanged": 1,
        "duplicates": 1,
        "files": [("duplicate", "moved.jpg")],
    }
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "b.jpg"}
    touch(root / "moved.jpg")
    assert pushed(bulkup) == {"unchanged": 2, "files": []}
    assert not is_read_again(bulkup)


def test_members_of_an_archive_that_was_written_again_are_unchanged(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    archive = make_tree(tmp_path / "photos", {"z.jpg": picture(9)}) / "album.zip"
    for year, more in ((2001, {}), (2002, {"c.jpg": picture(3)})):
        with zipfile.ZipFile(archive, "w") as written:
            for name, body in {"a.jpg": picture(1), "b.jpg": picture(2), **more}.items():
                written.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), body)
        if not more:
            bulkup("push", "photos", "--to", "store")
    assert pushed(bulkup) == {
        "new": 1,
        "unchanged": 3,
        "sent": 1,
        "files": [("sent", "album.zip#c.jpg")],
    }
    touch(archive)
    assert pushed(bulkup) == {"unchanged": 4, "files": []}
    assert not is_read_again(bulkup)


@pytest.mark.parametrize("layout", ["path", "content"])
def test_touched_files_are_not_copied_again(bulkup: Bulkup, tmp_path: Path, layout: str) -> None:
    """Neither the file that was sent nor the one that has a copy of its own, nor one alone."""
    tree = {"a.jpg": picture(1), "b.jpg": picture(1), "c.jpg": picture(2)}
    root = make_tree(tmp_path / "photos", tree)
    bulkup("push", "photos", "--to", "store", "--on-duplicate", "copy")
    before = objects_in(tmp_path / "store")
    touch(root / "b.jpg", root / "c.jpg", *[root / "a.jpg"] * (layout == "path"))
    counts = pushed(bulkup, "--on-duplicate", "copy", "--layout", layout)
    assert counts == {"unchanged": 3, "files": []}
    assert objects_in(tmp_path / "store") == before


def test_a_touched_file_goes_to_a_destination_that_has_not_got_it(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    touch(root / "a.jpg")
    assert pushed(bulkup, "--to", "elsewhere") == {
        "changed": 1,
        "sent": 1,
        "files": [("sent", "a.jpg")],
    }


def test_files_that_were_touched_twice_or_read_by_the_next_push_are_unchanged(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """With `--limit 1` the changed file is sent, and the touched ones are left to the next push."""
    tree = {f"{n:02}.jpg": picture(n) for n in range(4)}
    root = make_tree(tmp_path / "photos", tree)
    bulkup("push", "photos", "--to", "store")
    for _ in range(2):
        make_tree(root, {"00.jpg": picture("new"), "01.jpg": picture("newer")})
        touch(root / "02.jpg", root / "03.jpg")
        bulkup("push", "photos", "--limit", "1")
    assert pushed(bulkup) == {"unchanged": 4, "files": []}
