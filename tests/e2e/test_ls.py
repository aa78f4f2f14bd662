"""bulkup ls and du: what the destination itself holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import digest, make_tree, picture
from tests.servers.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("uploads_only")


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def test_objects_are_listed_with_what_is_known_of_them(bulkup: Bulkup, place: Place) -> None:
    """By the destination, so that unknown objects are shown, too, and missing ones are not."""
    files = {"a.jpg": picture(1), "2019/b.jpg": picture(2), "2019/05/c.jpg": picture(3)}
    make_tree(bulkup.directory / "photos", files)
    bulkup("push", "photos", "--to", place.url, env={**place.env, "BULKUP_MANIFEST_BACKUP": "1h"})
    place.put("2019/theirs.txt", b"not ours")
    place.delete("a.jpg")

    rows = bulkup("ls", "--to", place.url, "--json", env=place.env).json()
    prefix = place.prefix if isinstance(place, BucketPlace) else ""
    found = {row["key"].removeprefix(prefix): row for row in rows}
    (copy,) = (key for key in found if key.startswith(".bulkup/"))
    assert set(found) == {copy, "2019/05/c.jpg", "2019/b.jpg", "2019/theirs.txt"}
    assert found["2019/b.jpg"]["kind"] == "original"
    assert found["2019/b.jpg"]["digest"] == digest(picture(2))
    assert found["2019/b.jpg"]["size_bytes"] == len(picture(2))
    assert found["2019/b.jpg"]["modified_at"].endswith("Z")
    assert found["2019/theirs.txt"]["kind"] == "unknown"
    assert found[copy]["kind"] == "manifest"
    some = bulkup("ls", "2019/*.jpg", "--csv", env=place.env).stdout.splitlines()
    assert [line.split(",")[1].removeprefix(prefix) for line in some[1:]] == [
        "2019/05/c.jpg",
        "2019/b.jpg",
    ]
    assert "2019/b.jpg" in bulkup("ls", env=place.env).stdout


def test_du_sums_by_folder(bulkup: Bulkup, place: Place) -> None:
    files = {"a.jpg": picture(1), "2019/b.jpg": picture(2), "2019/05/c.jpg": picture(3)}
    make_tree(bulkup.directory / "photos", files)
    bulkup("push", "photos", "--to", place.url, env=place.env)
    rows = bulkup("du", "--json", env=place.env).json()
    assert {row["folder"]: (row["objects"], row["bytes"]) for row in rows} == {
        "": (1, 3000),
        "2019": (2, 6000),
    }
    deeper = bulkup("du", "--depth", "2", "--to", place.url, "--json", env=place.env).json()
    assert [row["folder"] for row in deeper] == ["", "2019", "2019/05"]
    assert "in total" in bulkup("du", env=place.env).stdout


def test_a_destination_that_the_manifest_does_not_know_is_listed(
    bulkup: Bulkup, place: Place
) -> None:
    """Without a manifest at all, too; nothing is made."""
    place.put("x.jpg", picture(1))
    rows = bulkup("ls", "--to", place.url, "--json", env=place.env).json()
    assert [(row["kind"], row["digest"]) for row in rows] == [("unknown", None)]
    assert not (bulkup.home / "manifest.db").exists()
    ended = bulkup("ls", check=2)
    assert "--to" in ended.stderr
    ended = bulkup("ls", "--to", bulkup.directory / "none", check=4)
    assert "is not there" in ended.stderr
    assert not os.path.exists(bulkup.directory / "none")


def test_a_destination_in_the_place_of_the_pattern_is_listed(bulkup: Bulkup, place: Place) -> None:
    """As by ls of other tools; it was taken for a pattern of keys, and nothing was listed."""
    make_tree(bulkup.directory / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", place.url, env=place.env)
    url = "store" if isinstance(place, DirectoryPlace) else place.url
    assert "original  " in bulkup("ls", url, env=place.env).stdout
    assert "in total" in bulkup("du", url, env=place.env).stdout


def test_a_list_without_objects_says_so(bulkup: Bulkup, place: Place) -> None:
    make_tree(bulkup.directory / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", place.url, env=place.env)
    ended = bulkup("ls", "2019/*", "--json", env=place.env)
    assert ended.json() == []
    assert ended.stderr == f"bulkup: no object matches 2019/* in {place.url}\n"
