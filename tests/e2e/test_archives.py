"""ZIP archives as roots, and inside of roots."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import make_tree, objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_an_archive_as_root(bulkup: Bulkup, tmp_path: Path) -> None:
    _zip(tmp_path / "trip.zip", {"day/a.jpg": picture(1), "b.jpg": picture(2), "c.txt": b"c"})
    bulkup("push", "trip.zip", "--to", "store")
    assert objects_in(tmp_path / "store") == {
        "trip.zip#day/a.jpg": picture(1),
        "trip.zip#b.jpg": picture(2),
    }
    assert bulkup("push", "trip.zip").stdout.startswith("Nothing changed")


def test_members_and_files_are_duplicates_of_each_other(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    _zip(tmp_path / "photos/z.zip", {"inner/a.jpg": picture(1), "new.jpg": picture(2)})
    ended = bulkup("push", "photos", "--to", "store")
    assert "2 uploaded" in ended.stdout
    assert "1 duplicate" in ended.stdout


def test_bad_members_are_dead_and_the_others_go_on(bulkup: Bulkup, tmp_path: Path) -> None:
    """An escaping name, and a member whose bytes are damaged: class invalid, exit 3."""
    path = _zip(
        tmp_path / "photos/z.zip",
        {"../escape.jpg": picture(1), "good.jpg": picture(2), "damaged.jpg": picture(3)},
    )
    raw = bytearray(path.read_bytes())
    at = raw.index(b"damaged.jpg") + len(b"damaged.jpg") + 500
    raw[at : at + 40] = bytes(40)
    path.write_bytes(raw)
    bulkup("push", "photos", "--to", "store", check=3)
    assert objects_in(tmp_path / "store") == {"z.zip#good.jpg": picture(2)}
    failed = bulkup("status", "--failed", "--json", check=3).json()
    assert {(row["path"].rpartition("#")[2], row["error_class"]) for row in failed} == {
        ("../escape.jpg", "invalid"),
        ("damaged.jpg", "invalid"),
    }
    assert {row["state"] for row in failed} == {"dead"}
    assert not (tmp_path / "escape.jpg").exists()


def test_what_is_no_archive_is_dead(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"broken.zip": b"PK\x03\x04 no archive", "a.jpg": picture(1)})
    told = bulkup("push", "photos", "--to", "store", check=3)
    assert "Why: invalid 1" in told.stdout
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert failed["error_class"] == "invalid"
    assert failed["path"].endswith("/broken.zip")
    # once repaired, it is read
    _zip(tmp_path / "photos/broken.zip", {"b.jpg": picture(2)})
    bulkup("push", "photos")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "broken.zip#b.jpg"}
    assert bulkup("status", "--failed", "--json").json() == []


def test_a_bad_archive_with_a_name_that_is_no_utf8(bulkup: Bulkup, tmp_path: Path) -> None:
    """The reason names the path; it is kept, shown, and listed as JSON."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    os.rename(
        _zip(tmp_path / "z.zip", {"../escape.jpg": picture(1)}),
        os.fsencode(root) + b"/bad-\xff.zip",
    )
    Path(os.fsdecode(os.fsencode(root) + b"/worse-\xfe.zip")).write_bytes(b"no archive")
    bulkup("push", "photos", "--to", "store", check=3)
    failed = bulkup("status", "--failed", "--json", check=3).json()
    assert [os.path.basename(row["path"]) for row in failed] == [
        "escape.jpg",
        "worse-\udcfe.zip",
    ]
    assert r"bad-\xff.zip" in bulkup("status", "--failed", check=3).stdout
