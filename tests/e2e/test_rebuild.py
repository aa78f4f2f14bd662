"""bulkup rebuild: the manifest is lost, and the next push sends nothing all the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import access, digest, make_tree, many, picture
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("uploads_only")

FILES = {
    "a.jpg": picture("a"),
    "sub/b.jpg": picture("b"),
    "sub/deeper/ü + ~%.jpg": picture("c"),
    "sub/copy of b.jpg": picture("b"),
    "empty.jpg": b"",
}
SETTINGS = {"BULKUP_PART_THRESHOLD": "5MiB", "BULKUP_PART_SIZE": "5MiB"}


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def lose_manifest(bulkup: Bulkup) -> None:
    for file in bulkup.home.glob("manifest.db*"):
        file.unlink()


def status(bulkup: Bulkup) -> dict[str, int]:
    """Files, contents and uploads as `status` counts them."""
    found = bulkup("status", "--json").json()
    upload = found["stages"]["upload"]
    assert sum(upload[s] for s in ("ready", "claimed", "waiting", "skipped", "dead")) == 0
    assets = found["assets"]
    return {"files": assets["total"], "unique": assets["unique"], "done": upload["done"]}


@pytest.mark.parametrize("layout", ["path", "content"])
@pytest.mark.parametrize("with_root", [False, True])
def test_the_next_push_sends_nothing(
    bulkup: Bulkup, place: Place, layout: str, with_root: bool
) -> None:
    """Whatever the layout, objects in parts and duplicates included; and it all balances."""
    root = make_tree(bulkup.directory / "photos", {**FILES, "large.jpg": picture("l", 11 << 20)})
    env = {**place.env, **SETTINGS}
    bulkup("push", root, "--to", place.url, "--layout", layout, env=env)
    before, counts = place.objects(), status(bulkup)
    lose_manifest(bulkup)

    options = ["--root", "photos"] if with_root else []
    rebuilt = bulkup("rebuild", "--from", place.url, "--json", *options, env=env).json()
    assert (rebuilt["objects"], rebuilt["recorded"], rebuilt["unknown"]) == (5, 5, 0)
    assert rebuilt["files"] == (5 if with_root and layout == "path" else 0)
    assert rebuilt["bytes_read"] == 0
    assert bulkup("verify", "--json", env=env).json() == []

    ended = bulkup("push", root, "--to", place.url, "--layout", layout, env=env)
    assert " uploaded" not in ended.stdout
    assert " already there" not in ended.stdout
    assert place.objects() == before
    assert status(bulkup) == counts
    assert bulkup("push", root, env=env).stdout.startswith("Nothing changed: 6 files")


def test_no_object_is_put(bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]) -> None:
    """Counted at the server: a listing and a HEAD for each object, then a push without a write."""
    many(tmp_path / "photos", 1200, 40)
    s3 = fake_s3()
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    puts, heads = s3.count("PutObject"), s3.count("HeadObject")
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", "s3://bucket/p", env=env)
    assert s3.count("HeadObject") - heads == 1200
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    assert s3.count("PutObject") == puts
    assert s3.count("HeadObject") - heads == 1200


def test_with_the_root_unchanged_files_are_not_even_read(bulkup: Bulkup, tmp_path: Path) -> None:
    """A file that nobody may read is no trouble: its size and mtime are those it was sent with.
    One that changed since is read, and sent under another name."""
    root = make_tree(tmp_path / "photos", FILES)
    bulkup("push", root, "--to", "store")
    lose_manifest(bulkup)
    (root / "a.jpg").write_bytes(picture("changed"))
    rebuilt = bulkup("rebuild", "--from", "store", "--root", "photos")
    assert rebuilt.stdout == (
        "store: 4 objects: 4 recorded\n" + f"3 files under {Path('photos')} as they were pushed\n"
    )
    log = tmp_path / "log"
    ended = bulkup("push", "photos", "--log-file", log)
    assert "1 uploaded" in ended.stdout
    held = DirectoryPlace(tmp_path / "store").objects()
    assert held[f"a~{digest(picture('changed'))[:8]}.jpg"] == picture("changed")


def test_spare_keys_are_those_of_their_files(bulkup: Bulkup, tmp_path: Path) -> None:
    """name~<8 hex>.jpg is the file name.jpg as it is now."""
    root = make_tree(tmp_path / "photos", {"sub/a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    (root / "sub/a.jpg").write_bytes(picture(2))
    bulkup("push", "photos")
    (root / "sub/a~00000000.jpg").write_bytes(picture(3))
    bulkup("push", "photos")
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", "store", "--root", "photos")
    rows = {Path(row["path"]).name: row["key"] for row in bulkup("files", "--json").json()}
    assert rows == {
        "a.jpg": f"sub/a~{digest(picture(2))[:8]}.jpg",
        "a~00000000.jpg": "sub/a~00000000.jpg",
    }
    assert bulkup("push", "photos").stdout.startswith("Nothing changed: 2 files")


def test_copies_are_told_from_their_originals(bulkup: Bulkup, tmp_path: Path) -> None:
    """A copy bears its original's mtime: a file with another one is read again, not copied."""
    names = ("a.jpg", "b.jpg", "c.jpg")
    root = make_tree(tmp_path / "photos", dict.fromkeys(names, picture(1)))
    for name in ("a.jpg", "b.jpg"):
        os.utime(root / name, ns=(1_600_000_000_123_456_789,) * 2)
    bulkup("push", "photos", "--to", "store", "--on-duplicate", "copy")
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", "store", "--root", "photos")
    rows = {Path(row["path"]).name: row["key"] for row in bulkup("files", "--json").json()}
    assert rows == {"a.jpg": "a.jpg", "b.jpg": "b.jpg"}
    assert status(bulkup) == {"files": 2, "unique": 1, "done": 1}
    ended = bulkup("push", "photos", "--on-duplicate", "copy")
    assert " uploaded" not in ended.stdout
    assert " copied" not in ended.stdout
    assert status(bulkup) == {"files": 3, "unique": 1, "done": 1}
    assert len(DirectoryPlace(tmp_path / "store").objects()) == 3


def test_what_has_no_digest_is_read_with_deep_only(bulkup: Bulkup, place: Place) -> None:
    """An object that another program put there: counted; read with --deep; adopted by a push."""
    root = make_tree(bulkup.directory / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    place.put("a.jpg", picture(1))
    rebuilt = bulkup("rebuild", "--from", place.url, "--json", env=place.env).json()
    assert (rebuilt["recorded"], rebuilt["unknown"], rebuilt["bytes_read"]) == (0, 1, 0)
    rebuilt = bulkup("rebuild", "--from", place.url, "--deep", "--json", env=place.env).json()
    assert (rebuilt["recorded"], rebuilt["unknown"], rebuilt["bytes_read"]) == (1, 0, 3000)
    ended = bulkup("push", root, "--to", place.url, env=place.env)
    assert "1 uploaded" in ended.stdout
    assert place.objects() == {"a.jpg": picture(1), "b.jpg": picture(2)}


def test_it_only_adds(bulkup: Bulkup, tmp_path: Path) -> None:
    """Into a manifest that is whole: nothing changes. Into one that lacks some: those are added."""
    make_tree(tmp_path / "photos", FILES)
    bulkup("push", "photos", "--to", "store")
    before = bulkup("files", "--json").stdout
    again = bulkup("rebuild", "--from", "store", "--root", "photos", "--json").json()
    assert (again["known"], again["recorded"], again["files"]) == (4, 0, 0)
    assert bulkup("files", "--json").stdout == before
    make_tree(tmp_path / "more", {"z.jpg": picture("z")})
    bulkup("push", "more", "--to", "store", "--manifest", "other.db")
    added = bulkup("rebuild", "--from", "store", "--json").json()
    assert (added["known"], added["recorded"]) == (4, 1)
    assert bulkup("files", "--json").stdout == before
    make_tree(tmp_path / "photos", {"z.jpg": picture("z")})
    assert " uploaded" not in bulkup("push", "photos").stdout


def test_a_content_without_files_is_not_counted(bulkup: Bulkup, tmp_path: Path) -> None:
    """Until a push finds a file that has it."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", "photos", "--to", "store")
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", "store")
    assert status(bulkup) == {"files": 0, "unique": 0, "done": 0}
    (tmp_path / "photos/b.jpg").unlink()
    bulkup("push", "photos", "--to", "store")
    assert status(bulkup) == {"files": 1, "unique": 1, "done": 1}


def test_names_that_are_no_utf8_are_read_again_and_not_sent(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    try:
        with open(os.fsencode(root) + b"/\xff.jpg", "wb") as file:
            file.write(picture(2))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    bulkup("push", "photos", "--to", "store")
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", "store", "--root", "photos")
    assert " uploaded" not in bulkup("push", "photos").stdout
    assert status(bulkup) == {"files": 2, "unique": 2, "done": 2}


def test_what_is_no_destination_is_refused(bulkup: Bulkup, tmp_path: Path, s3: Endpoint) -> None:
    """Exit 2 for what cannot be one, 4 for one that is not there; no manifest is half made."""
    assert bulkup("rebuild", "--from", "ftp://host/x", check=2).code == 2
    assert (
        "is not a directory" in bulkup("rebuild", "--from", "s", "--root", "none", check=2).stderr
    )
    assert "is not there" in bulkup("rebuild", "--from", "nowhere", check=4).stderr
    ended = bulkup("rebuild", "--from", "s3://no-such-bucket-here", env=s3.environment, check=4)
    assert "bucket" in ended.stderr


@pytest.mark.parametrize("is_there", [False, True])
def test_a_destination_that_is_not_there_or_empty_is_not_remembered(
    bulkup: Bulkup, tmp_path: Path, is_there: bool
) -> None:
    if is_there:
        (tmp_path / "nowhere").mkdir()
    make_tree(tmp_path / "photos", {"a.jpg": picture("a")})
    bulkup("rebuild", "--from", tmp_path / "nowhere", check=4)
    bulkup("forget", tmp_path / "nowhere", check=2)
    pushed = bulkup("push", tmp_path / "photos")
    assert "No destination given: pushing to the local store" in pushed.stderr


def test_what_was_rebuilt_is_known_until_it_is_forgotten(bulkup: Bulkup, tmp_path: Path) -> None:
    """Without a root no file has these objects."""
    make_tree(tmp_path / "photos", FILES)
    make_tree(tmp_path / "others", {"z.jpg": picture("z")})
    bulkup("push", tmp_path / "photos", "--to", tmp_path / "nas")
    lose_manifest(bulkup)
    bulkup("rebuild", "--from", tmp_path / "nas")
    (place,) = bulkup("status", "--json").json()["destinations"]
    assert (place["objects"], place["bytes"]) == (4, 3 * len(picture("a")))
    assert ": 4 objects" in bulkup("status").stdout
    assert "no problems" in bulkup("verify").stdout
    bulkup("push", tmp_path / "others", "--to", tmp_path / "elsewhere")
    assert bulkup("verify").stdout.count("no problems") == 2
    (tmp_path / "nas").rename(tmp_path / "unmounted")
    bulkup("push", tmp_path / "photos", "--to", tmp_path / "nas", check=4)
    assert not (tmp_path / "nas").exists()
