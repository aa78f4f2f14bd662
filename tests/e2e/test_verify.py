"""bulkup verify: what was done to the objects behind bulkup's back is found, and repaired."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import access, digest, make_tree, many, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("uploads_only")

FILES = {f"{name}.jpg": picture(name) for name in ("gone", "cut", "other", "same", "sub/deep")}


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def findings(bulkup: Bulkup, place: Place, *options: str, check: int = 3) -> dict[str, str]:
    """What verify finds, by key without the prefix."""
    ended = bulkup("verify", *options, "--json", env=place.env, check=check)
    prefix = getattr(place, "prefix", "")
    return {row["key"].removeprefix(prefix): row["finding"] for row in ended.json()}


def dead(bulkup: Bulkup) -> dict[str, str]:
    """The error class of every dead file, by its name."""
    rows = bulkup("status", "--failed", "--json", check=None).json()
    return {Path(row["path"]).name: row["error_class"] for row in rows if row["state"] == "dead"}


def test_what_is_as_it_was_stored_is_not_listed(bulkup: Bulkup, place: Place) -> None:
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", place.url, env=place.env)
    ended = bulkup("verify", env=place.env)
    assert ended.stdout == f"{place.url}: 5 objects checked, 0 B read: no problems\n"
    assert bulkup("verify", "--json", env=place.env).json() == []
    assert bulkup("verify", "photos", "--deep", env=place.env).stdout.startswith(
        f"{place.url}: 5 objects checked, 14.6 KiB read: no problems"
    )


def test_each_kind_of_harm_is_found_and_mended(bulkup: Bulkup, place: Place) -> None:
    """Deleted, truncated, replaced and foreign; `retry` repairs the first three and overwrites
    nothing; once the strange objects are gone the destination is clean."""
    make_tree(bulkup.directory / "photos", {**FILES, "copy of gone.jpg": FILES["gone.jpg"]})
    bulkup("push", "photos", "--to", place.url, env=place.env)
    original = next(key for key in ("gone.jpg", "copy of gone.jpg") if key in place.objects())
    place.delete(original)
    place.put("cut.jpg", FILES["cut.jpg"][:100])
    place.put("other.jpg", picture("replaced"))
    place.put("strange.jpg", picture("strange"))
    harmed = {original: "missing", "cut.jpg": "short", "other.jpg": "different"}
    assert findings(bulkup, place) == {**harmed, "strange.jpg": "foreign"}
    assert dead(bulkup) == {
        "gone.jpg": "missing",
        "copy of gone.jpg": "missing",
        "cut.jpg": "changed",
        "other.jpg": "changed",
    }
    assert findings(bulkup, place) == {**harmed, "strange.jpg": "foreign"}, "until it is repaired"

    bulkup("retry", "--failed", env=place.env)
    held = place.objects()
    assert held[original] == FILES["gone.jpg"]
    assert held["cut.jpg"] == FILES["cut.jpg"][:100], "never overwritten"
    assert held[f"cut~{digest(FILES['cut.jpg'])[:8]}.jpg"] == FILES["cut.jpg"]
    assert held[f"other~{digest(FILES['other.jpg'])[:8]}.jpg"] == FILES["other.jpg"]
    strange = ("cut.jpg", "other.jpg", "strange.jpg")
    assert findings(bulkup, place) == dict.fromkeys(strange, "foreign")
    for key in strange:
        place.delete(key)
    assert findings(bulkup, place, "--deep", check=0) == {}


def test_all_files_of_a_lost_content_are_named(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    (tmp_path / "store/a.jpg").unlink()
    ended = bulkup("verify", "--csv", check=3)
    assert ended.stdout.splitlines() == [
        "destination,key,finding,detail,path,variant",
        *(
            f"{tmp_path}/store,a.jpg,missing,no object has this key,{tmp_path}/photos/{name}.jpg,"
            for name in "ab"
        ),
    ]


def test_an_object_that_came_back_is_done_again(bulkup: Bulkup, place: Place) -> None:
    """What is as it was stored needs no retry, whoever put it right."""
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", place.url, env=place.env)
    place.delete("gone.jpg")
    assert findings(bulkup, place) == {"gone.jpg": "missing"}
    place.put("gone.jpg", FILES["gone.jpg"])
    assert findings(bulkup, place, check=0) == {}
    assert dead(bulkup) == {}


def test_deep_finds_a_flipped_bit(bulkup: Bulkup, tmp_path: Path) -> None:
    """Size and times are right, so that only the bytes tell; the retry goes to another key."""
    make_tree(tmp_path / "photos", FILES)
    place = DirectoryPlace(tmp_path / "store")
    bulkup("push", "photos", "--to", "store")
    place.flip("same.jpg")
    assert findings(bulkup, place, check=0) == {}
    assert findings(bulkup, place, "--deep") == {"same.jpg": "different"}
    assert dead(bulkup) == {"same.jpg": "changed"}
    bulkup("retry", "--failed")
    spare = f"same~{digest(FILES['same.jpg'])[:8]}.jpg"
    assert place.objects()[spare] == FILES["same.jpg"]
    place.delete("same.jpg")
    assert findings(bulkup, place, "--deep", check=0) == {}


def test_a_sample_reads_so_many_and_can_be_taken_again(bulkup: Bulkup, tmp_path: Path) -> None:
    many(tmp_path / "photos", 40, 1000)
    bulkup("push", "photos", "--to", "store")
    for sample, read in (("10", "9.8 KiB"), ("5%", "2.0 KiB"), ("0", "0 B"), ("99", "39.1 KiB")):
        assert f"{read} read" in bulkup("verify", "--sample", sample).stdout
    place = DirectoryPlace(tmp_path / "store")
    for key in place.objects():
        place.flip(key)
    ended = bulkup("verify", "--sample", "3", "--json", check=3)
    assert len(ended.json()) == 3
    assert "--seed" in ended.stderr
    assert "neither" in bulkup("verify", "--sample", "many", check=2).stderr


def test_what_is_bad_variant_is_found_once(bulkup: Bulkup, tmp_path: Path) -> None:
    """Its content moves to a spare key, which lies ahead of the listing: that is no finding."""
    many(tmp_path / "photos", 8, 1000)
    bulkup("push", "photos", "--to", "store")
    place = DirectoryPlace(tmp_path / "store")
    last = max(place.objects())
    place.flip(last)
    found = bulkup("verify", "--deep", "--json", check=3).json()
    assert [(row["key"], row["finding"]) for row in found] == [(last, "different")]


def test_a_listing_of_several_pages_is_merged(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """2,300 objects, some missing at every edge; HEAD is asked for those only. A page that fails
    is asked for again where the listing stood."""
    many(tmp_path / "photos", 2300, 40)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    paths = sorted(s3.held)
    lost = [paths[at] for at in (0, 1, 998, 999, 1000, 1001, 2000, 2298, 2299)]
    for path in lost:
        del s3.objects.held[path]
    heads = s3.count("HeadObject")
    s3.script(Fault(op="ListObjectsV2", status=500, after=2, times=1))
    found = bulkup("verify", "--json", env=env, check=3).json()
    assert [row["key"] for row in found] == [path.removeprefix("/bucket/") for path in lost]
    assert {row["finding"] for row in found} == {"missing"}
    assert s3.count("HeadObject") - heads == len(lost)
    assert s3.count("ListObjectsV2", 500) == 1
    assert s3.count("GetObject") == 0


def test_a_destination_that_lied_is_found_out(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """200, and nothing stored."""
    make_tree(tmp_path / "photos", FILES)
    lie = Fault(op="PutObject", path="*cut.jpg", does="lie", times=None)
    s3 = fake_s3(faults=[lie], keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    s3.script()
    found = bulkup("verify", "--json", env=env, check=3).json()
    assert [(row["key"], row["finding"]) for row in found] == [("p/cut.jpg", "missing")]
    bulkup("retry", "--failed", env=env)
    assert bulkup("verify", "--json", env=env).json() == []


def test_objects_in_parts_are_known_by_their_composite(bulkup: Bulkup, place: Place) -> None:
    """Sent in parts, found unchanged and, replaced by another of the same parts, found out."""
    size = 11 << 20
    make_tree(bulkup.directory / "photos", {"large.jpg": picture("large", size)})
    env = {**place.env, "BULKUP_PART_THRESHOLD": "5MiB", "BULKUP_PART_SIZE": "5MiB"}
    bulkup("push", "photos", "--to", place.url, env=env)
    assert findings(bulkup, place, check=0) == {}
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as manifest, manifest:
        (checksum,) = manifest.execute("SELECT checksum FROM object").fetchone()
        assert checksum.endswith("-3")
        manifest.execute("UPDATE object SET etag = 'another'")
    manifest.close()
    assert findings(bulkup, place, check=0) == {}, "by checksum, digest or bytes"
    place.put("large.jpg", picture("other", size))
    assert findings(bulkup, place) == {"large.jpg": "different"}


def test_what_bulkup_keeps_for_itself_is_not_foreign(bulkup: Bulkup, place: Place) -> None:
    """Nor a variant without a row: another manifest may have made it. `clean` tells the rest."""
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", place.url, env=place.env)
    for owner in (digest(FILES["same.jpg"]), digest(b"nobody's")):
        place.put(f".bulkup/thumb/{owner[:2]}/{owner}.webp", b"thumb")
    place.put(".bulkup/note", b"ours")
    assert findings(bulkup, place, check=0) == {}


def test_folder_markers_are_neither_foreign_nor_files(bulkup: Bulkup, s3: Endpoint) -> None:
    """Consoles make them: empty objects whose keys end in a slash, or in _$folder$."""
    place = BucketPlace(s3, s3.make_bucket())
    make_tree(bulkup.directory / "photos", FILES)
    bulkup("push", "photos", "--to", place.url, env=place.env)
    place.put("2019/", b"")
    place.put("2019/05/", b"")
    place.put("2019/06_$folder$", b"")  # of Hadoop's tools
    place.put("2020/", b"not empty")
    assert findings(bulkup, place, check=3) == {"2020/": "foreign"}
    rebuilt = bulkup("rebuild", "--from", place.url, "--deep", "--json", env=place.env).json()
    assert rebuilt["objects"] == len(place.objects()) - 3


def test_destinations_in_one_place_are_not_foreign_to_each_other(
    bulkup: Bulkup, tmp_path: Path, s3: Endpoint
) -> None:
    """A bucket and a prefix in it; a directory and one below it."""
    make_tree(tmp_path / "one", {"a.jpg": picture(1)})
    make_tree(tmp_path / "two", {"b.jpg": picture(2)})
    bucket = s3.make_bucket()
    for outer, inner in ((f"s3://{bucket}", f"s3://{bucket}/in"), ("store", "store/in")):
        bulkup("push", "one", "--to", outer, env=s3.environment)
        bulkup("push", "two", "--to", inner, env=s3.environment)
    assert bulkup("verify", "--json", env=s3.environment).json() == []


def test_a_disk_that_is_not_mounted_is_no_empty_store(bulkup: Bulkup, tmp_path: Path) -> None:
    """Exit 4, and nothing is dead: neither where the directory is gone nor where it is empty."""
    make_tree(tmp_path / "photos", FILES)
    bulkup("push", "photos", "--to", "store")
    (tmp_path / "store").rename(tmp_path / "unmounted")
    ended = bulkup("verify", check=4)
    assert "was there before and is gone" in ended.stderr
    (tmp_path / "store").mkdir()
    ended = bulkup("verify", check=4)
    assert "mounted?" in ended.stderr
    assert dead(bulkup) == {}


def test_a_destination_that_refuses_is_exit_4(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """The others are checked all the same; no file is to blame."""
    make_tree(tmp_path / "photos", FILES)
    s3 = fake_s3()
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    bulkup("push", "photos", "--to", "store", env=env)
    s3.script(Fault(op="ListObjectsV2", status=403, times=None))
    ended = bulkup("verify", env=env, check=4)
    assert ended.stderr.startswith("bulkup: s3://bucket/p: ")
    assert f"{tmp_path}/store: 5 objects checked" in ended.stdout
    assert dead(bulkup) == {}


def test_an_object_that_cannot_be_looked_at_is_unchecked(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """It is listed, and stays done: nobody knows that anything is wrong with it."""
    make_tree(tmp_path / "photos", FILES)
    s3 = fake_s3()
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    del s3.objects.held["/bucket/p/cut.jpg"]
    s3.script(Fault(path="*cut.jpg", status=403, times=None))
    found = bulkup("verify", "--json", env=env, check=3).json()
    assert [(row["key"], row["finding"]) for row in found] == [("p/cut.jpg", "unchecked")]
    assert dead(bulkup) == {}


@pytest.mark.parametrize("does", ["refuse", "reset"])
def test_deep_finds_an_object_that_cannot_be_read_and_retry_stores_it_again(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], does: Literal["refuse", "reset"]
) -> None:
    """Its key is not used again: the endpoint would say that the object is there."""
    make_tree(tmp_path / "photos", FILES)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", "--stages", "upload", env=env)
    s3.script(Fault(op="GetObject", path="*cut.jpg", times=None, does=does))
    found = bulkup("verify", "--deep", "--json", env=env, check=3).json()
    assert [(row["key"], row["finding"]) for row in found] == [("p/cut.jpg", "unreadable")]
    assert dead(bulkup) == {"cut.jpg": "changed"}
    bulkup("retry", "--failed", env=env)
    spare = f"/bucket/p/cut~{digest(FILES['cut.jpg'])[:8]}.jpg"
    assert s3.digests[spare] == digest(FILES["cut.jpg"])


def test_what_was_never_pushed_cannot_be_verified(bulkup: Bulkup, tmp_path: Path) -> None:
    """Nothing at all: nothing to verify. An unknown root or destination: wrong usage."""
    assert bulkup("verify").stdout == "Nothing to verify.\n"
    assert not (bulkup.home / "manifest.db").exists()
    make_tree(tmp_path / "photos", FILES)
    bulkup("push", "photos", "--to", "store")
    assert "never pushed" in bulkup("verify", "elsewhere", check=2).stderr
    assert "ever pushed to" in bulkup("verify", "--to", "elsewhere", check=2).stderr
    assert "5 objects checked" in bulkup("verify", "--to", "store").stdout
    assert "5 objects checked" in bulkup("verify", "photos").stdout
