"""Keys by a template, from the push to the files that come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.test_takeout import jpeg
from tests.e2e.trees import objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")

LAYOUT = ("--layout", "{taken:%Y}/{taken:%m}/{name}")
KEYS = {
    "2018/01/a.jpg",
    "2019/03/IMG_20190317_123456.jpg",
    "2018/01/a~{digest}.jpg",
    "undated/none.jpg",
    "undated/large.jpg",
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name, body in {
        "one/a.jpg": jpeg(1, "2018:01:02 03:04:05"),
        "two/a.jpg": jpeg(2, "2018:01:30 03:04:05"),
        "two/copy.jpg": jpeg(2, "2018:01:30 03:04:05"),
        "IMG_20190317_123456.jpg": picture(3),
        "none.jpg": picture(4),
        "large.jpg": picture(5, 6 << 20),
    }.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "photos"


def test_the_tree_comes_back_from_keys_by_date(
    bulkup: Bulkup, tmp_path: Path, photos: Path
) -> None:
    dry = bulkup("push", "photos", "--to", "store", *LAYOUT, "--dry-run", "--json").lines()
    planned = {one["key"] for one in dry if one["event"] == "planned" and one["key"]}
    bulkup("push", "photos", "--to", "store", *LAYOUT, "--concurrency", "1")
    keys = {key for key in objects_in(tmp_path / "store") if not key.startswith(".bulkup/")}
    assert len(keys) == 5
    (spare,) = (key for key in keys if "~" in key)
    digest = spare.removeprefix("2018/01/a~").removesuffix(".jpg")
    assert len(digest) == 8
    assert keys == {key.format(digest=digest) for key in KEYS}
    assert planned == keys
    assert bulkup("push", "photos", *LAYOUT).stdout.startswith("Nothing changed")
    bulkup("verify", "--deep")
    bulkup("pull", "--into", "back")
    names = {path.relative_to(photos) for path in photos.rglob("*")}
    assert {path.relative_to(tmp_path / "back") for path in (tmp_path / "back").rglob("*")} == names
    for path in photos.rglob("*.jpg"):
        other = tmp_path / "back" / path.relative_to(photos)
        assert other.read_bytes() == path.read_bytes()
        assert other.stat().st_mtime_ns == path.stat().st_mtime_ns


def test_a_lost_manifest_is_made_again(bulkup: Bulkup, tmp_path: Path, photos: Path) -> None:
    bulkup("push", "photos", "--to", "store", *LAYOUT)
    for path in bulkup.home.glob("manifest.db*"):
        path.unlink()
    bulkup("rebuild", "--from", "store")
    bulkup("verify")
    bulkup("pull", "--into", "back")
    contents = {path.read_bytes() for path in photos.rglob("*.jpg")}
    assert {path.read_bytes() for path in (tmp_path / "back").rglob("*.jpg")} == contents


def test_a_wrong_template_is_refused_with_the_fields(bulkup: Bulkup, photos: Path) -> None:
    ended = bulkup("push", "photos", "--to", "store", "--layout", "{when}/{name}", check=2)
    assert "{taken:%Y-%m-%d}, {name}, {stem}, {ext}, {folder}, {camera}" in ended.stderr
