"""Copies of the manifest at the destination, and `restore`: a lost laptop costs nothing."""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.test_pull import FILES, SETTINGS, tree
from tests.e2e.test_watch import until
from tests.e2e.trees import access, make_tree, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint

HOURLY = {"BULKUP_MANIFEST_BACKUP": "1h", "BULKUP_STAGES": "upload"}
ALWAYS = {**HOURLY, "BULKUP_MANIFEST_BACKUP": "1ms"}


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def copies(place: Place) -> dict[str, bytes]:
    """The copies by key, the oldest first."""
    found = place.objects()
    return {key: found[key] for key in sorted(found) if key.startswith(".bulkup/manifest/")}


def opened(packed: bytes, tmp_path: Path) -> sqlite3.Connection:
    """A copy as a database."""
    path = tmp_path / "opened.db"
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)) as reader:
        path.write_bytes(reader.read())
    return sqlite3.connect(path)


@pytest.mark.parametrize("layout", ["path", "content"])
def test_a_lost_laptop_costs_nothing(bulkup: Bulkup, place: Place, layout: str) -> None:
    """Home and tree are gone; restore and pull give the tree as it was, and the next push sends
    nothing."""
    root = make_tree(bulkup.directory / "photos", FILES)
    env = {**place.env, **SETTINGS, **HOURLY}
    bulkup("push", root, "--to", place.url, "--layout", layout, env=env)
    before = tree(root)
    shutil.rmtree(root)
    shutil.rmtree(bulkup.home)

    restored = bulkup("restore", "--from", place.url, env=env)
    assert f"{len(before)} files" in restored.stdout
    assert f"on {socket.gethostname()}" in restored.stdout
    status = bulkup("status", "--json").json()
    assert status["assets"]["total"] == len(before)
    assert status["stages"]["upload"]["claimed"] == status["stages"]["upload"]["ready"] == 0
    assert status["runs"] == []
    bulkup("pull", "--into", root, env=env)
    assert tree(root) == before
    held = place.objects()
    assert " sent" not in bulkup("push", root, env=env).stdout
    assert {k: v for k, v in place.objects().items() if not k.startswith(".bulkup/")} == {
        k: v for k, v in held.items() if not k.startswith(".bulkup/")
    }
    assert bulkup("verify", "--json", env=env).json() == []


def test_the_key_names_host_and_time(bulkup: Bulkup, place: Place) -> None:
    make_tree(bulkup.directory / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", place.url, env={**place.env, **HOURLY})
    (key,) = copies(place)
    assert re.fullmatch(r"\.bulkup/manifest/[\w.-]+/\d{8}T\d{6}Z\.db\.zst", key)
    assert key.split("/")[2] == socket.gethostname()


def test_at_most_one_in_the_time_and_none_for_an_unchanged_tree(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """What changed within the hour is copied by a later run; an unchanged tree costs no request."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(keep_bodies=True)
    env = {**access(s3.url), **HOURLY}
    bulkup("push", root, "--to", "s3://bucket/p", env=env)
    assert s3.count("PutObject", 200) == 2
    seen = len(s3.seen)
    bulkup("push", root, env=env)
    assert len(s3.seen) == seen
    (root / "b.jpg").write_bytes(picture(2))
    bulkup("push", root, env=env)
    assert s3.count("PutObject", 200) == 3
    bulkup("push", root, env={**env, **ALWAYS})
    assert s3.count("PutObject", 200) == 4
    seen = len(s3.seen)
    bulkup("push", root, env={**env, **ALWAYS})
    assert len(s3.seen) == seen


def test_the_copy_comes_after_the_objects(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """It is the last write, and conditional."""
    make_tree(tmp_path / "photos", {f"{n}.jpg": picture(n) for n in range(20)})
    s3 = fake_s3(keep_bodies=True)
    bulkup("push", "photos", "--to", "s3://bucket/p", env={**access(s3.url), **HOURLY})
    puts = [seen for seen in s3.seen if seen.op == "PutObject"]
    assert [seen.path for seen in puts if "/manifest/" in seen.path] == [puts[-1].path]
    assert puts[-1].headers["if-none-match"] == "*"


def test_a_kill_between_sending_a_copy_and_recording_it_loses_nothing(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """The copy is whole; nobody knows of it, and the next one has a name of its own."""
    s3 = fake_s3(keep_bodies=True)
    env = {**access(s3.url), **ALWAYS}
    root = make_tree(tmp_path / "photos", FILES)
    folder = "/bucket/p/.bulkup/manifest/"
    s3.script(  # stored, but the answer is lost
        Fault(op="PutObject", path=folder + "*", does="lose"),
        Fault(op="*", path=folder + "*", times=None, does="hold"),
    )
    push = bulkup.start("push", root, "--to", "s3://bucket/p", env=env)
    until(lambda: any(path.startswith(folder) for path in s3.held))
    push.kill()
    push.wait()
    s3.script()
    s3.release()
    assert bulkup("status", "--json").json()["stages"]["upload"]["done"] > 0
    (tmp_path / "photos" / "new.jpg").write_bytes(picture("new"))
    bulkup("push", root, env=env)
    assert bulkup("verify", "--json", env=env).json() == []
    shutil.rmtree(bulkup.home)
    restored = bulkup("restore", "--from", "s3://bucket/p", env=env)
    assert f"{len(tree(root))} files" in restored.stdout


def test_the_newest_five_are_kept(bulkup: Bulkup, tmp_path: Path) -> None:
    """Those that another manifest of this host has sent stay; nothing is replaced."""
    place = DirectoryPlace(tmp_path / "store")
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    other = make_tree(tmp_path / "others", {"x.jpg": picture("x")})
    env = {**ALWAYS, "BULKUP_MANIFEST": str(tmp_path / "other.db")}
    bulkup("push", other, "--to", place.url, env=env)
    theirs = copies(place)
    for number in range(7):
        (root / f"{number}.jpg").write_bytes(picture(number + 10))
        bulkup("push", root, "--to", place.url, env=ALWAYS)
    found = copies(place)
    assert len(found) == 6
    assert theirs.items() <= found.items()
    with closing(opened(found[max(found)], tmp_path)) as copy:
        assert copy.execute("SELECT count(*) FROM asset").fetchone() == (8,)


@pytest.mark.corpus
def test_a_copy_has_no_vectors_unless_asked_for(
    bulkup: Bulkup, tmp_path: Path, corpus: Path
) -> None:
    """Without them, the pictures are embedded again after a restore, and are searchable."""
    place = DirectoryPlace(tmp_path / "store")
    (tmp_path / "photos").mkdir()
    for path in sorted((corpus / "photos").rglob("*.jpg"))[:2]:
        shutil.copy(path, tmp_path / "photos")
    env = {"BULKUP_MANIFEST_BACKUP": "1h"}
    bulkup("push", "photos", "--to", place.url, env=env)
    (packed,) = copies(place).values()
    with closing(opened(packed, tmp_path)) as copy:
        assert copy.execute("SELECT count(*) FROM embedding").fetchone() == (0,)
    shutil.rmtree(bulkup.home)
    bulkup("restore", "--from", place.url)
    assert bulkup("status", "--json").json()["searchable"] == 0
    bulkup("embed")
    assert bulkup("status", "--json").json()["searchable"] == 2
    bulkup(
        "embed",
        "--force",
        env={"BULKUP_MANIFEST_BACKUP": "1ms", "BULKUP_MANIFEST_BACKUP_VECTORS": "true"},
    )
    packed = copies(place)[max(copies(place))]
    with closing(opened(packed, tmp_path)) as copy:
        assert copy.execute("SELECT count(*) FROM embedding").fetchone() == (2,)


def test_no_secret_is_in_a_copy(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Neither keys nor tokens, nor what an endpoint's error repeats of them."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEXAMPLETOKEN",
    }
    hook = "https://hooks.example.org/T000/SECRETPATH"
    s3 = fake_s3(keep_bodies=True)
    s3.script(
        Fault(
            op="PutObject",
            path="*/b.jpg",
            times=None,
            status=400,
            code=secrets["AWS_SESSION_TOKEN"],
        )
    )
    env = {**access(s3.url), **secrets, **HOURLY, "BULKUP_NOTIFY_WEBHOOK": hook}
    env["BULKUP_NOTIFY_ON"] = "never"
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env, check=3)
    (packed,) = [held.content for path, held in s3.held.items() if "/manifest/" in path]
    assert packed is not None
    opened(packed, tmp_path).close()
    plain = (tmp_path / "opened.db").read_bytes()
    assert b"a.jpg" in plain
    for secret in (*secrets.values(), "SECRETPATH"):
        assert secret.encode() not in plain
        assert secret.encode() not in packed


def test_a_copy_that_fails_fails_no_push(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """It says so, and the next run sends it."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(keep_bodies=True)
    env = {**access(s3.url), **HOURLY}
    s3.script(Fault(op="PutObject", path="*/manifest/*", times=1, status=403))
    ended = bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    assert "The manifest was not copied to s3://bucket/p: " in ended.stderr
    assert os.listdir(bulkup.home) == ["manifest.db"]
    bulkup("push", "photos", env=env)
    assert sum("/manifest/" in path for path in s3.held) == 1


def test_a_destination_that_shows_nothing_gets_no_copy(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """`restore` would not find it."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3()
    s3.script(Fault(op="PutObject", does="lie", times=None))
    env = {**access(s3.url), **HOURLY}
    ended = bulkup("push", "photos", "--to", "s3://bucket/p", env=env, check=None)
    assert "its listing does not show the object p/a.jpg" in ended.stderr
    assert not any("/manifest/" in seen.path for seen in s3.seen if seen.op == "PutObject")
    requests = len(s3.seen)
    assert "not copied" not in bulkup("push", "photos", env=env).stderr
    assert len(s3.seen) == requests, "a push with nothing to do makes no request"


def test_restore_replaces_nothing_and_takes_no_damaged_copy(bulkup: Bulkup, tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "store")
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", root, "--to", place.url, env=HOURLY)
    ended = bulkup("restore", "--from", place.url, check=2)
    assert "there is a manifest already" in ended.stderr
    shutil.rmtree(bulkup.home)
    (key,) = copies(place)
    place.flip(key)
    ended = bulkup("restore", "--from", place.url, check=3)
    assert "SHA-256" in ended.stderr
    assert not (bulkup.home / "manifest.db").exists()
    place.put(key, b"no copy")
    bulkup("restore", "--from", place.url, check=3)
    place.delete(key)
    ended = bulkup("restore", "--from", place.url, check=2)
    assert "bulkup rebuild --from" in ended.stderr
    assert os.listdir(bulkup.home) == []


def test_folders_that_earlier_versions_left_are_removed_when_they_are_old(bulkup: Bulkup) -> None:
    """Nobody locked them: a young one may be in use."""
    root = make_tree(bulkup.directory / "photos", {"a.jpg": picture(1)})
    old, young = (bulkup.home / f".bulkup-copy-{name}" for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "manifest.db").write_bytes(b"half")
    os.utime(old, (1_600_000_000, 1_600_000_000))
    bulkup("push", root, "--to", "store", env=ALWAYS)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_host_or_a_key_chooses_the_copy(bulkup: Bulkup, tmp_path: Path) -> None:
    """This host's newest copy without any; another machine's by its name."""
    place = DirectoryPlace(tmp_path / "store")
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    for number in range(2):
        (root / f"{number}.jpg").write_bytes(picture(number + 10))
        left = bulkup.home / "manifest.db-scratch-killed"
        left.mkdir(parents=True)  # by a run that was killed while it made a copy
        bulkup("push", root, "--to", place.url, env=ALWAYS)
        assert not left.exists()
    first, second = copies(place)
    place.put(".bulkup/manifest/other-host/20200101T000000Z.db.zst", copies(place)[first])
    listed = bulkup("restore", "--from", place.url, "--list", "--json").json()
    assert [row["key"] for row in listed][:2] == [second, first]
    assert {row["host"] for row in listed} == {socket.gethostname(), "other-host"}
    of_host = ("--list", "--json", "--host", "other-host")
    assert {row["host"] for row in bulkup("restore", "--from", place.url, *of_host).json()} == {
        "other-host"
    }
    for options, files in (
        ([], 3),
        (["--key", first], 2),
        (["--host", "other-host"], 2),
    ):
        shutil.rmtree(bulkup.home)
        bulkup("restore", "--from", place.url, *options)
        assert bulkup("status", "--json").json()["assets"]["total"] == files
    shutil.rmtree(bulkup.home)
    ended = bulkup("restore", "--from", place.url, "--host", "nobody", check=2)
    assert "other-host" in ended.stderr
    for option in ("--list", "--host=other-host"):
        ended = bulkup("restore", "--from", place.url, "--key", first, option, check=2)
        assert "contradict each other" in ended.stderr


def test_verify_knows_the_copies(bulkup: Bulkup, place: Place) -> None:
    """A good one is no finding; one that is missing is, once, and the next run sends another."""
    make_tree(bulkup.directory / "photos", {"a.jpg": picture(1)})
    env = {**place.env, **HOURLY}
    bulkup("push", "photos", "--to", place.url, env=env)
    assert bulkup("verify", "--json", env=env).json() == []
    assert bulkup("verify", "--deep", "--json", env=env).json() == []
    (key,) = copies(place)
    place.delete(key)
    (found,) = bulkup("verify", "--json", env=env, check=3).json()
    assert (found["finding"], found["variant"]) == ("missing", "manifest")
    assert found["key"].endswith(key)
    assert bulkup("verify", "--json", env=env).json() == []
    bulkup("push", "photos", env=env)
    assert len(copies(place)) == 1


def test_clean_bounds_the_copies_of_manifests_that_are_gone(bulkup: Bulkup, tmp_path: Path) -> None:
    """Each host's newest five stay, and all of the last day."""
    place = DirectoryPlace(tmp_path / "store")
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", place.url, env=HOURLY)
    (own,) = copies(place)
    for host, count in (("old-host", 8), ("new-host", 3)):
        for day in range(1, count + 1):
            key = f".bulkup/manifest/{host}/202001{day:02}T000000Z.db.zst"
            place.put(key, b"copy")
            os.utime(tmp_path / "store" / key, (1_580_000_000, 1_580_000_000))
    place.put(".bulkup/manifest/notes.txt", b"not ours")
    shown = bulkup("clean").stdout
    assert "3 old copies of manifests" in shown
    assert len(copies(place)) == 13
    bulkup("clean", "--yes")
    left = copies(place)
    assert own in left
    assert [key for key in left if "old-host" in key] == [
        f".bulkup/manifest/old-host/202001{day:02}T000000Z.db.zst" for day in range(4, 9)
    ]
    assert ".bulkup/manifest/notes.txt" in left
    assert bulkup("clean").stdout == "Nothing to clean.\n"


def test_a_file_or_a_table_may_name_the_manifest(bulkup: Bulkup, tmp_path: Path) -> None:
    """`manifest = …` as before, and a [manifest] table with the backup's settings."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    for number, text in enumerate(
        ('manifest = "one.db"', '[manifest]\npath = "two.db"\nbackup = "never"')
    ):
        bulkup.use_settings(text + '\n[push]\nstages = ["upload"]\n')
        bulkup("push", "photos", "--to", f"store{number}")
    assert (tmp_path / "one.db").exists()
    assert (tmp_path / "two.db").exists()
