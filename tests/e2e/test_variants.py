"""Variants at the destination: verified, made again, cleaned away, and adopted by a new manifest."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import digest, make_tree
from tests.servers.endpoint import Endpoint
from tests.unit.content.picture.made import saved, scene

FILES = {f"{name}.jpg": saved(scene(width, 300)) for name, width in (("a", 400), ("sub/b", 500))}


@pytest.fixture(autouse=True)
def without_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are nothing that a destination holds."""
    monkeypatch.setenv("BULKUP_STAGES", "upload,process")


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def key_of(name: str, file: str, ending: str | None = None) -> str:
    """The key of a variant, without the prefix."""
    owner = digest(FILES[file])
    ending = ending or {"thumb": "webp", "preview": "jpg"}[name]
    return f".bulkup/{name}/{owner[:2]}/{owner}.{ending}"


def push(bulkup: Bulkup, place: Place, *options: str) -> None:
    """The files, processed."""
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", place.url, *options, env=place.env)


def findings(bulkup: Bulkup, place: Place, *options: str, check: int = 3) -> dict[str, str]:
    """What verify finds, by key without the prefix."""
    rows = bulkup("verify", *options, "--json", env=place.env, check=check).json()
    prefix = getattr(place, "prefix", "")
    return {row["key"].removeprefix(prefix): row["finding"] for row in rows}


@contextmanager
def manifest(bulkup: Bulkup) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        yield db


# verify -----------------------------------------------------------------------------------------


def test_variants_are_counted_beside_the_objects(bulkup: Bulkup, place: Place) -> None:
    push(bulkup, place)
    ended = bulkup("verify", env=place.env)
    assert ended.stdout.startswith(f"{place.url}: 2 objects and 4 variants checked, 0 B read: all")
    read = sum(map(len, place.objects().values())) / 1024
    assert f"{read:.1f} KiB read: all" in bulkup("verify", "--deep", env=place.env).stdout


def test_a_lost_variant_names_its_file_and_is_made_again(bulkup: Bulkup, place: Place) -> None:
    push(bulkup, place)
    before = place.objects()
    lost = key_of("thumb", "sub/b.jpg")
    place.delete(lost)
    (row,) = bulkup("verify", "--json", env=place.env, check=3).json()
    assert row["key"].endswith(lost)
    assert (row["finding"], row["variant"]) == ("missing", "thumb")
    assert row["paths"] == [str(bulkup.directory / "photos/sub/b.jpg")]
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert (failed["stage"], failed["state"], failed["error_class"]) == ("process", "dead", "missing")
    assert "variant thumb" in failed["error"]
    assert findings(bulkup, place) == {lost: "missing"}, "until it is made again"

    bulkup("retry", "--failed", env=place.env)
    assert place.objects() == before
    assert findings(bulkup, place, "--deep", check=0) == {}


def test_a_variant_that_came_back_is_done_again(bulkup: Bulkup, place: Place) -> None:
    """With the last of them, not before."""
    push(bulkup, place)
    lost = [key_of(name, "a.jpg") for name in ("thumb", "preview")]
    bodies = [place.objects()[key] for key in lost]
    for key in lost:
        place.delete(key)
    assert findings(bulkup, place) == dict.fromkeys(lost, "missing")
    place.put(lost[0], bodies[0])
    assert findings(bulkup, place) == {lost[1]: "missing"}
    assert bulkup("status", "--failed", check=3).code == 3
    place.put(lost[1], bodies[1])
    assert findings(bulkup, place, check=0) == {}
    assert bulkup("status", "--failed").code == 0


def test_a_variant_with_other_bytes_is_found(bulkup: Bulkup, place: Place) -> None:
    push(bulkup, place)
    key = key_of("preview", "a.jpg")
    place.put(key, place.objects()[key_of("preview", "sub/b.jpg")])
    found = findings(bulkup, place)
    assert found in ({key: "different"}, {key: "short"})
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert (failed["stage"], failed["error_class"]) == ("process", "changed")
    assert "variant preview" in failed["error"]


def test_deep_reads_the_bytes_of_variants(bulkup: Bulkup, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "store")
    push(bulkup, place)
    place.flip(key_of("thumb", "a.jpg"))
    assert findings(bulkup, place, check=0) == {}
    assert findings(bulkup, place, "--deep") == {key_of("thumb", "a.jpg"): "different"}
