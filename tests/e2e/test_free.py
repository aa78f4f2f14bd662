"""bulkup free: erases nothing that is not proved to be at the destination."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.test_pull import tree
from tests.e2e.trees import access, make_tree, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("uploads_only")


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def why(rows: list[dict[str, str]]) -> dict[str, str]:
    """The reasons of the files that must stay, by name."""
    return {Path(row["path"]).name: row["why"] for row in rows if row["why"] is not None}


def test_missing_and_different_objects_keep_their_files(bulkup: Bulkup, place: Place) -> None:
    """They are named, and only the others are erased, and only with --yes."""
    names = (
        "missing.jpg",
        "different.jpg",
        "short.jpg",
        "sub/good.jpg",
        "sub/twin.jpg",
        "empty.jpg",
    )
    files = {name: picture(name) for name in names}
    files["sub/twin.jpg"], files["empty.jpg"] = files["sub/good.jpg"], b""
    root = make_tree(bulkup.directory / "photos", files)
    bulkup("push", root, "--to", place.url, env=place.env)
    place.delete("missing.jpg")
    place.put("different.jpg", picture("other"))
    place.put("short.jpg", picture("short.jpg")[:-1])

    before = tree(root)
    shown = bulkup("free", root, "--json", env=place.env, check=3).json()
    reasons = why(shown)
    assert set(reasons) == {"missing.jpg", "different.jpg", "short.jpg"}
    assert reasons["missing.jpg"].startswith("missing: ")
    assert reasons["different.jpg"].startswith("different: ")
    assert reasons["short.jpg"].startswith("short: ")
    assert tree(root) == before
    erased = bulkup("free", root, "--yes", "--json", env=place.env, check=3).json()
    assert {Path(row["path"]).name for row in erased if row["erased"]} == {
        "good.jpg",
        "twin.jpg",
        "empty.jpg",
    }
    assert {os.path.basename(path) for path in tree(root)} == {os.fsencode(n) for n in reasons}
    again = bulkup("free", root, "--json", env=place.env, check=3).json()
    assert {Path(row["path"]).name for row in again} == set(reasons)  # what is gone is no file

    bulkup("push", root, env=place.env, check=None)
    bulkup("pull", "sub/*", "empty.jpg", "--into", root, env=place.env)
    assert {path: tree(root)[path] for path in before} == before


def test_files_that_are_not_there_yet_stay(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Failed ones, those in another run's hands, and those that were never pushed."""
    root = make_tree(tmp_path / "photos", {"good.jpg": picture(1), "bad.jpg": picture(2)})
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    s3.script(Fault(op="PutObject", path="*/bad.jpg", times=None, status=400))
    bulkup("push", root, "--to", "s3://bucket/p", env=env, check=3)
    (root / "flying.jpg").write_bytes(picture(3))
    s3.script(Fault(op="PutObject", does="hold", times=None))
    process = bulkup.start("push", root, env=env)
    s3.wait_for("PutObject", s3.arrived["PutObject"] + 1)
    (root / "new.jpg").write_bytes(picture(4))
    reasons = why(bulkup("free", root, "--yes", "--json", env=env, check=3).json())
    s3.release()
    bulkup.finish(process)
    assert set(reasons) == {"bad.jpg", "flying.jpg", "new.jpg"}
    assert reasons["flying.jpg"] == "its upload is claimed"
    assert reasons["new.jpg"] == "it was never pushed"
    assert {path.name for path in root.iterdir()} == set(reasons)


def test_a_file_that_changed_since_stays(bulkup: Bulkup, tmp_path: Path) -> None:
    """Even with its size and time as before; one that was only moved and back is read, and goes."""
    root = make_tree(tmp_path / "photos", {n: picture(n) for n in ("a.jpg", "b.jpg", "c.jpg")})
    bulkup("push", root, "--to", "store")
    found = (root / "a.jpg").stat()
    (root / "a.jpg").write_bytes(picture("x"))
    os.utime(root / "a.jpg", ns=(found.st_atime_ns, found.st_mtime_ns))
    os.rename(root / "b.jpg", tmp_path / "moved")
    os.rename(tmp_path / "moved", root / "b.jpg")
    reasons = why(bulkup("free", root, "--yes", "--json", check=3).json())
    assert reasons == {"a.jpg": "it has changed since it was pushed"}
    assert [path.name for path in root.iterdir()] == ["a.jpg"]


def test_an_object_that_is_the_file_itself_stays(bulkup: Bulkup, tmp_path: Path) -> None:
    """A link to it would be all that is left."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", root, "--to", "store")
    (tmp_path / "store/a.jpg").unlink()
    os.link(root / "a.jpg", tmp_path / "store/a.jpg")
    reasons = why(bulkup("free", root, "--yes", "--json", check=3).json())
    assert reasons == {"a.jpg": "it is the object itself"} or "changed" in reasons["a.jpg"]
    assert (root / "a.jpg").exists()


def test_archives_and_links_stay(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    with zipfile.ZipFile(root / "old.zip", "w") as archive:
        archive.writestr("b.jpg", picture(2))
    bulkup("push", root, "--to", "store")
    os.rename(root / "a.jpg", tmp_path / "elsewhere.jpg")
    os.symlink(tmp_path / "elsewhere.jpg", root / "a.jpg")
    reasons = why(bulkup("free", root, "--yes", "--json", check=3).json())
    assert reasons["a.jpg"] == "it is no regular file"
    assert reasons["old.zip"] == "it was never pushed"
    assert (root / "old.zip").exists()
    assert (tmp_path / "elsewhere.jpg").exists()


def test_what_is_reached_through_a_link_stays(bulkup: Bulkup, tmp_path: Path) -> None:
    """A folder that was moved elsewhere and left a link, perhaps to the only other copy."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "2024/may/b.jpg": picture(2)})
    bulkup("push", root, "--to", "store")
    os.rename(root / "2024", tmp_path / "elsewhere")
    (root / "2024").symlink_to(tmp_path / "elsewhere")
    os.rename(root, tmp_path / "real")
    root.symlink_to(tmp_path / "real")  # a root may be one
    reasons = why(bulkup("free", root, "--yes", "--json", check=3).json())
    assert reasons == {"b.jpg": "it is reached through a link"}
    assert (tmp_path / "elsewhere/may/b.jpg").exists()
    assert not (root / "a.jpg").exists()


def test_deep_reads_the_objects(bulkup: Bulkup, tmp_path: Path) -> None:
    """A bit that was flipped on the destination's disk is not seen by a HEAD."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", root, "--to", "store")
    DirectoryPlace(tmp_path / "store").flip("a.jpg")
    reasons = why(bulkup("free", root, "--deep", "--yes", "--json", check=3).json())
    assert reasons["a.jpg"].startswith("different: ")
    assert [path.name for path in root.iterdir()] == ["a.jpg"]


def _pushed_130(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> tuple[Path, FakeS3, dict[str, str]]:
    """A root of which `free` looks at 100 files first; its server, and the keys to that."""
    root = make_tree(tmp_path / "photos", {f"{n:03}.jpg": picture(n) for n in range(130)})
    s3 = fake_s3()
    env = access(s3.url)
    bulkup("push", root, "--to", "s3://bucket/p", env=env)
    return root, s3, env


def test_files_are_erased_soon_after_their_objects_were_looked_at(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """A hundred at a time: the next objects are looked at when those files are gone."""
    root, s3, env = _pushed_130(bulkup, tmp_path, fake_s3)
    s3.script(Fault(op="HeadObject", after=100, times=None, does="hold"))
    process = bulkup.start("free", root, "--yes", "--json", env=env)
    s3.wait_for("HeadObject", 101)
    assert len(list(root.iterdir())) == 30
    s3.release()
    ended = bulkup.finish(process)
    assert sum(row["erased"] for row in ended.json()) == 130
    assert not list(root.iterdir())


def test_when_the_keys_expire_what_was_erased_is_still_told(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    root, s3, env = _pushed_130(bulkup, tmp_path, fake_s3)
    expired = Fault(op="HeadObject", after=100, times=None, status=403, code="ExpiredToken")
    s3.script(expired, replace(expired, op="GetObject", after=0))
    rows = bulkup("free", root, "--yes", "--json", env=env, check=3).json()
    assert sum(row["erased"] for row in rows) == 100
    assert {row["why"].partition(":")[0] for row in rows if row["why"]} == {"unchecked"}
    assert len(list(root.iterdir())) == 30


def test_only_what_is_named_is_erased(bulkup: Bulkup, tmp_path: Path) -> None:
    """A folder, or a single file; what looks alike stays. Freed files come back by a pull, also
    after a push has noticed that they are gone."""
    names = ("2019/a.jpg", "2019 more/b.jpg", "2019.jpg", "2020/c.jpg", "2020/d.jpg")
    root = make_tree(tmp_path / "photos", {name: picture(name) for name in names})
    bulkup("push", root, "--to", "store")
    before = tree(root)
    ended = bulkup("free", root / "2019", root / "2020/c.jpg", "--yes")
    assert ended.stdout.startswith("2 files ")
    left = {str(path.relative_to(root)) for path in root.rglob("*.jpg")}
    assert left == {"2019 more/b.jpg", "2019.jpg", "2020/d.jpg"}
    (root / "2020/d.jpg").unlink()  # not by `free`
    bulkup("push", root)
    bulkup("pull", "--into", root)
    assert tree(root) == {path: file for path, file in before.items() if path != b"2020/d.jpg"}
    ended = bulkup("free", tmp_path / "other", check=2)
    assert "was never pushed" in ended.stderr
