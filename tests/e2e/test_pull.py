"""bulkup pull: the tree as it was, from what is at the destination."""

from __future__ import annotations

import json
import os
import shutil
import signal
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.places import BucketPlace, DirectoryPlace, Place
from tests.e2e.trees import access, digest, make_tree, many, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3
from tests.servers.endpoint import Endpoint
from tests.servers.process import wait_until

pytestmark = pytest.mark.usefixtures("uploads_only")

FILES = {
    "a.jpg": picture("a"),
    "sub/b.jpg": picture("b"),
    "sub/deeper/ü + ~%#.jpg": picture("c"),
    "sub/copy of b.jpg": picture("b"),
    "sub/third b.jpg": picture("b"),
    "-dash.jpg": picture("d"),
    "line.jpg": picture("e"),
    "empty.jpg": b"",
    "medium.jpg": picture("m", 1_500_000),
    "large.jpg": picture("l", 12 << 20),
}
SETTINGS = {"BULKUP_PART_THRESHOLD": "5MiB", "BULKUP_PART_SIZE": "5MiB"}
LATE_NS = 1_600_000_000_123_456_789


@pytest.fixture(params=["directory", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of destination in turn, empty."""
    if request.param == "directory":
        return DirectoryPlace(tmp_path / "store")
    endpoint: Endpoint = request.getfixturevalue("s3" if request.param == "moto" else "ceph")
    return BucketPlace(endpoint, endpoint.make_bucket())


def tree(root: Path) -> dict[bytes, tuple[str, int]]:
    """Digest and mtime in nanoseconds of every file, by its path below the root."""
    found = {}
    for folder, _, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(folder, name)
            content = Path(os.fsdecode(path)).read_bytes()
            found[os.path.relpath(path, os.fsencode(root))] = (
                digest(content),
                os.stat(path).st_mtime_ns,
            )
    return found


def make_photos(bulkup: Bulkup) -> Path:
    """The files; two of three duplicates have the same time."""
    root = make_tree(bulkup.directory / "photos", FILES)
    (root / os.fsdecode(b"latin-\xe9.jpg")).write_bytes(picture("f"))
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        moment = LATE_NS + number * 1_000_000_001
        os.utime(path, ns=(moment, moment))
    for name in ("sub/b.jpg", "sub/third b.jpg"):
        os.utime(root / name, ns=(LATE_NS, LATE_NS))
    os.utime(root / "-dash.jpg", ns=(-5_000_000_001, -5_000_000_001))  # before 1970
    return root


@pytest.mark.parametrize("layout", ["path", "content"])
def test_the_tree_comes_back_as_it_was(bulkup: Bulkup, place: Place, layout: str) -> None:
    """Names, times to the nanosecond, duplicates, empty and large files; and nothing else."""
    root = make_photos(bulkup)
    env = {**place.env, **SETTINGS}
    bulkup("push", root, "--to", place.url, "--layout", layout, env=env)
    before = tree(root)
    shutil.rmtree(root)

    lines = bulkup("pull", "--into", "back", "--json", env=env).lines()
    assert tree(bulkup.directory / "back") == before
    summary = lines[-1]
    assert (summary["event"], summary["command"]) == ("summary", "pull")
    assert (summary["files"], summary["failed"], summary["exit_code"]) == (len(before), 0, 0)
    assert summary["fetched"] == len(set(FILES.values())) + 1  # and "f"
    assert (summary["linked"], summary["copied"]) == (1, 1)
    pulled = [line for line in lines if line["event"] == "pulled"]
    assert len({line["path"] for line in pulled}) == len(before)
    one, other = (bulkup.directory / "back/sub" / name for name in ("b.jpg", "third b.jpg"))
    assert one.stat().st_ino == other.stat().st_ino
    assert (bulkup.directory / "back/sub/copy of b.jpg").stat().st_nlink == 1


def test_the_numbers_of_a_pull_add_up(bulkup: Bulkup, tmp_path: Path) -> None:
    """Empty files, duplicates, and files that are there or cannot be had: each is in one number,
    and as many are named."""
    names = {"empty.jpg": b"", "none.jpg": b"", "a.jpg": picture("a"), "b.jpg": picture("a")}
    root = make_tree(tmp_path / "photos", names | {"c.jpg": picture("c"), "d.jpg": picture("d")})
    bulkup("push", root, "--to", "store", "--stages", "upload")
    make_tree(tmp_path / "back", {"d.jpg": picture("d")})
    (tmp_path / "store" / "c.jpg").write_bytes(b"damaged")
    counted = ("fetched", "linked", "copied", "present")
    planned = bulkup("pull", "--into", "back", "--dry-run", "--json").lines()[-1]
    *events, summary = bulkup("pull", "--into", "back", "--json", check=3).lines()
    named = Counter(line["how"] for line in events if line["event"] == "pulled")
    assert {key: summary[key] for key in counted} == {key: named[key] for key in counted}
    assert (summary["fetched"], summary["present"], summary["failed"]) == (2, 1, 1)
    assert sum(summary[key] for key in (*counted, "failed", "remaining")) == summary["files"] == 6
    assert sum(planned[key] for key in counted) == planned["files"] == 6
    assert bulkup("pull", "empty.jpg", "--into", "other").stdout.startswith("Done")


def test_a_second_pull_makes_no_request(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Counted at the server; each object was read once."""
    many(tmp_path / "photos", 300, 400)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    bulkup("pull", "--into", "back", env=env)
    assert s3.count("GetObject", 200) == 300
    seen = len(s3.seen)
    ended = bulkup("pull", "--into", "back", env=env)
    assert len(s3.seen) == seen
    assert ended.stdout == f"Nothing to pull: 300 files, all in {tmp_path / 'back'}\n"
    assert tree(tmp_path / "back") == tree(tmp_path / "photos")


def test_nothing_is_overwritten(bulkup: Bulkup, tmp_path: Path) -> None:
    """Other files keep their names, also where a folder is needed; equal ones are found to be there
    whatever their times."""
    root = make_tree(
        tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2), "s/c.jpg": b"c"}
    )
    bulkup("push", root, "--to", "store")
    back = make_tree(tmp_path / "back", {"a.jpg": b"mine", "b.jpg": picture(2), "s": b"a file"})
    os.utime(back / "b.jpg", ns=(1, 1))
    lines = bulkup("pull", "--into", "back", "--json").lines()
    assert (back / "a.jpg").read_bytes() == b"mine"
    assert (back / "s").read_bytes() == b"a file"
    assert (back / f"a~{digest(picture(1))[:8]}.jpg").read_bytes() == picture(1)
    assert (back / f"s~{digest(b'c')[:8]}" / "c.jpg").read_bytes() == b"c"
    assert (back / "b.jpg").stat().st_mtime_ns == 1
    assert (lines[-1]["renamed"], lines[-1]["present"], lines[-1]["fetched"]) == (2, 1, 2)
    assert bulkup("pull", "--into", "back").stdout.startswith("Nothing to pull: 3 files")


def test_members_of_archives_become_files(bulkup: Bulkup, tmp_path: Path) -> None:
    """With the time that the archive gives, under the names that `files` shows."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    with zipfile.ZipFile(root / "old.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("in/b.jpg", (2010, 2, 3, 4, 5, 6)), picture(2))
    bulkup("push", root, "--to", "store")
    shutil.rmtree(root)
    bulkup("pull", "--into", "back")
    assert (tmp_path / "back/old.zip#in/b.jpg").read_bytes() == picture(2)
    names = [Path(row["path"]).relative_to(root) for row in bulkup("files", "--json").json()]
    assert sorted(map(str, names)) == ["a.jpg", "old.zip#in/b.jpg"]


def test_a_disk_that_is_not_mounted_fails_no_file(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture("a"), "b.jpg": picture("b")})
    bulkup("push", "photos", "--to", "nas")
    (tmp_path / "nas").rename(tmp_path / "unplugged")
    (tmp_path / "nas").mkdir()
    ended = bulkup("pull", "--into", "back", "--wait-online", "0", check=4)
    assert "is it mounted?" in ended.stderr
    assert "missing" not in ended.stdout
    (tmp_path / "nas").rmdir()
    (tmp_path / "unplugged").rename(tmp_path / "nas")
    bulkup("pull", "--into", "back")


def test_roots_and_globs_choose(bulkup: Bulkup, tmp_path: Path) -> None:
    """Several roots have folders of their own; one alone has none."""
    make_tree(tmp_path / "one/photos", {"a.jpg": picture(1), "a.png": picture(2)})
    make_tree(tmp_path / "two/photos", {"b.jpg": picture(3)})
    make_tree(tmp_path / "scans", {"c.jpg": picture(1)})
    for root in ("one/photos", "two/photos", "scans"):
        bulkup("push", root, "--to", "store")
    bulkup("pull", "--into", "all")
    found = {path.split(b"/")[0] for path in tree(tmp_path / "all")}
    assert b"scans" in found
    assert len(found) == 3
    assert all(name == b"scans" or name.startswith(b"photos~") for name in found)
    bulkup("pull", "--root", "one/photos", "--into", "one-back")
    assert set(tree(tmp_path / "one-back")) == {b"a.jpg", b"a.png"}
    bulkup("pull", "*.png", "b.*", "--into", "some")
    assert {os.path.basename(path) for path in tree(tmp_path / "some")} == {b"a.png", b"b.jpg"}
    ended = bulkup("pull", "--root", "none", "--into", "x", check=2)
    assert "none was never pushed" in ended.stderr


def test_files_deleted_locally_come_back_when_asked_for(bulkup: Bulkup, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", root, "--to", "store")
    (root / "b.jpg").unlink()
    bulkup("push", root)
    bulkup("pull", "--into", "back")
    assert set(tree(tmp_path / "back")) == {b"a.jpg"}
    bulkup("pull", "--deleted", "--into", "back")
    assert set(tree(tmp_path / "back")) == {b"a.jpg", b"b.jpg"}


def test_a_dry_run_asks_and_writes_nothing(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """The plan is what the pull then does."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1), "c.jpg": b"c"})
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", root, "--to", "s3://bucket/p", env=env)
    make_tree(tmp_path / "back", {"c.jpg": b"c"})
    seen = len(s3.seen)
    lines = bulkup("pull", "--into", "back", "--dry-run", "--json", env=env).lines()
    assert len(s3.seen) == seen
    assert os.listdir(tmp_path / "back") == ["c.jpg"]
    verdicts = {Path(x["path"]).name: x["verdict"] for x in lines if x["event"] == "planned"}
    assert verdicts == {"a.jpg": "fetch", "b.jpg": "copy", "c.jpg": "present"}
    assert (lines[-1]["dry_run"], lines[-1]["fetched"]) == (True, 1)
    done = bulkup("pull", "--into", "back", "--json", env=env).lines()
    assert {Path(x["path"]).name: x["how"] for x in done if x["event"] == "pulled"} == {
        "a.jpg": "fetched",
        "b.jpg": "copied",
        "c.jpg": "present",
    }


@pytest.mark.parametrize("size_bytes", [3_000, 1_500_000, 11 << 20])
def test_an_object_with_other_bytes_gets_no_name(
    bulkup: Bulkup, tmp_path: Path, size_bytes: int
) -> None:
    """Whatever way it is fetched; the others come, and the exit code is 3."""
    files = {"a.jpg": picture(1, size_bytes), "b.jpg": picture(2, size_bytes)}
    root = make_tree(tmp_path / "photos", files)
    bulkup("push", root, "--to", "store", env=SETTINGS)
    store = DirectoryPlace(tmp_path / "store")
    store.flip("a.jpg")
    ended = bulkup("pull", "--into", "back", env=SETTINGS, check=3)
    assert f"{tmp_path / 'back/a.jpg'}: changed: key 'a.jpg': its bytes have" in ended.stderr
    assert set(tree(tmp_path / "back")) == {b"b.jpg"}
    store.put("a.jpg", files["a.jpg"])
    bulkup("pull", "--into", "back", env=SETTINGS)
    assert {path: found[0] for path, found in tree(tmp_path / "back").items()} == {
        b"a.jpg": digest(files["a.jpg"]),
        b"b.jpg": digest(files["b.jpg"]),
    }


def test_an_object_that_is_much_larger_than_it_was_stops_no_other(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """It is not read to its end, and no sign that the server is down."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", root, "--to", "s3://bucket/p", env=env)
    grown = Request(f"{s3.url}/bucket/p/a.jpg", data=bytes(1_000_000), method="PUT")
    urlopen(grown).close()
    ended = bulkup("pull", "--into", "back", env=env, check=3)
    assert "a.jpg: changed: key 'p/a.jpg': it is larger than it was" in ended.stderr
    assert set(tree(tmp_path / "back")) == {b"b.jpg"}
    assert s3.count("GetObject") == 2


def test_another_destination_helps_out(bulkup: Bulkup, tmp_path: Path) -> None:
    """An object that is missing at one destination is read from the next."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    bulkup("push", root, "--to", "first")
    bulkup("push", root, "--to", "second")
    (tmp_path / "first/a.jpg").unlink()
    bulkup("pull", "--into", "back")
    assert tree(tmp_path / "back") == tree(root)
    ended = bulkup("pull", "--from", "first", "--into", "other", check=3)
    assert "missing" in ended.stderr


def test_faults_of_the_server_cost_no_file(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 60, 4_000)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    s3.script(
        Fault(op="GetObject", times=5, status=503, retry_after_seconds=0),
        Fault(op="GetObject", times=5, status=500),
        Fault(op="GetObject", times=3, does="reset"),
    )
    summary = bulkup("pull", "--into", "back", "--json", env=env).lines()[-1]
    assert (summary["failed"], summary["exit_code"]) == (0, 0)
    assert tree(tmp_path / "back") == tree(tmp_path / "photos")


def test_a_bucket_that_is_gone_ends_with_4(bulkup: Bulkup, s3: Endpoint, tmp_path: Path) -> None:
    """Nothing is said of single files, and the next pull is complete."""
    place = BucketPlace(s3, s3.make_bucket())
    many(tmp_path / "photos", 30)
    bulkup("push", "photos", "--to", place.url, env=place.env)
    wrong = {**place.env, "AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""}
    ended = bulkup("pull", "--into", "back", "--json", env=wrong, check=4)
    assert ended.lines()[-1]["failed"] == 0
    bulkup("pull", "--into", "back", env=place.env)
    assert tree(tmp_path / "back") == tree(tmp_path / "photos")


def test_objects_in_cold_storage_are_asked_for_and_come_later(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Across runs: the first says what is cold, the second asks, and once the copies are there the
    same command fetches them."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", root, "--to", "s3://bucket/p", env=env)
    s3.script(
        Fault(op="GetObject", path="*/a.jpg", times=3, status=403, code="InvalidObjectState"),
        Fault(op="RestoreObject", after=1, times=1, status=409, code="RestoreAlreadyInProgress"),
    )
    first = bulkup("pull", "--into", "back", env=env, check=3)
    assert "1 in cold storage" in first.stdout
    assert "next: the same command with --restore" in first.stdout
    assert s3.count("RestoreObject") == 0
    for _ in range(2):
        summary = bulkup("pull", "--into", "back", "--restore", "--json", env=env, check=3).lines()
        assert (summary[-1]["archived"], summary[-1]["requested"]) == (1, 1)
    assert s3.count("RestoreObject") == 2
    bulkup("pull", "--into", "back", "--restore", env=env)
    assert tree(tmp_path / "back") == tree(root)


# Stopping and going on ---------------------------------------------------------------------------


def test_an_interrupted_pull_continues(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """SIGTERM: what is in hand ends, exit 143; then only the rest is fetched."""
    many(tmp_path / "photos", 400, 2_000)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    s3.script(Fault(op="GetObject", after=40, times=None, does="hold"))
    process = bulkup.start("pull", "--into", "back", env=env)
    s3.wait_for("GetObject", 41)
    process.send_signal(signal.SIGTERM)
    s3.release()
    ended = bulkup.finish(process, check=143)
    assert ended.stdout.startswith("Interrupted after")
    fetched = s3.count("GetObject", 200)
    assert 40 < fetched < 400
    s3.script()
    bulkup("pull", "--into", "back", env=env)
    assert s3.count("GetObject", 200) == 400
    assert tree(tmp_path / "back") == tree(tmp_path / "photos")


def _has_more_than(count: int, folder: Path) -> bool:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(".bulkup-pull" not in path.parts for path in files) > count


def _named(folder: Path) -> dict[bytes, object]:
    """The files that have their names."""
    found = tree(folder).items()
    return {path: file for path, file in found if not path.startswith(b".bulkup-pull/")}


def test_a_killed_pull_continues(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """kill -9, five times: no file is half, and in the end nothing is left over."""
    many(tmp_path / "photos", 100, 2_000)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    whole, back, before = tree(tmp_path / "photos"), tmp_path / "back", 0
    for _ in range(5):
        s3.script(Fault(op="GetObject", after=15, times=None, does="hold"))
        arrived = s3.arrived["GetObject"]
        process = bulkup.start("pull", "--into", "back", env=env)
        s3.wait_for("GetObject", arrived + 16)
        wait_until(partial(_has_more_than, before, back), timeout_seconds=60, what="a file")
        process.kill()
        process.wait()
        named = _named(back)
        assert named.items() <= whole.items()
        assert len(named) > before
        before = len(named)
    s3.release()
    s3.script()
    bulkup("pull", "--into", "back", env=env)
    assert tree(tmp_path / "back") == tree(tmp_path / "photos")


def test_a_large_object_continues_where_it_was(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Killed after some of its ranges; those are not fetched again."""
    root = make_tree(tmp_path / "photos", {"large.jpg": picture("l", 32 << 20)})
    s3 = fake_s3(keep_bodies=True)
    env = {**access(s3.url), **SETTINGS, "BULKUP_CONCURRENCY": "1"}
    bulkup("push", root, "--to", "s3://bucket/p", env=env)
    s3.script(Fault(op="GetObject", after=3, times=None, does="hold"))
    process = bulkup.start("pull", "--into", "back", env=env)
    s3.wait_for("GetObject", 4)
    process.kill()
    process.wait()
    assert [path for path in tree(tmp_path / "back") if not path.startswith(b".bulkup-pull/")] == []
    s3.release()
    s3.script()
    before = s3.count("GetObject", 206)
    bulkup("pull", "--into", "back", env=env)
    assert s3.count("GetObject", 206) - before <= 5  # a range may have been written, and not listed
    assert tree(tmp_path / "back") == tree(root)


def test_ranges_that_are_damaged_on_the_disk_are_fetched_again(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """The machine went down, and a range that is listed was not written."""
    body = picture("l", 12 << 20)
    root = make_tree(tmp_path / "photos", {"large.jpg": body})
    bulkup("push", root, "--to", "store", env=SETTINGS)
    staging = tmp_path / "back/.bulkup-pull"
    staging.mkdir(parents=True)
    (staging / digest(body)).write_bytes(bytes(len(body)))
    (staging / f"{digest(body)}.ranges").write_text(f"{5 << 20}\n0\n1\n")
    bulkup("pull", "--into", "back", env=SETTINGS)
    assert tree(tmp_path / "back") == tree(root)


def test_a_file_that_was_cut_off_by_a_crash_is_made_again(bulkup: Bulkup, tmp_path: Path) -> None:
    """It has its name and time, but not all its bytes: the disk had not written them."""
    root = make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", root, "--to", "store")
    bulkup("pull", "--into", "back")
    found = (tmp_path / "back/a.jpg").stat()
    os.truncate(tmp_path / "back/a.jpg", 0)
    os.utime(tmp_path / "back/a.jpg", ns=(found.st_mtime_ns, found.st_mtime_ns))
    bulkup("pull", "--into", "back")
    assert tree(tmp_path / "back") == tree(root)


def test_two_pulls_into_one_folder_fetch_each_object_once(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """The second waits, says for whom, and then finds everything there."""
    many(tmp_path / "photos", 20)
    s3 = fake_s3(keep_bodies=True)
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket/p", env=env)
    s3.script(Fault(op="GetObject", does="hold"))
    first = bulkup.start("pull", "--into", "back", env=env)
    s3.wait_for("GetObject")
    second = bulkup.start("pull", "--into", "back", env=env)
    assert second.stderr is not None
    line = second.stderr.readline()
    assert line.startswith("Waiting for run ")
    assert f"pid {first.pid} on " in line
    s3.release()
    bulkup.finish(first, check=0)
    ended = bulkup.finish(second, check=0)
    assert ended.stdout.startswith("Nothing to pull: 20 files")
    assert s3.count("GetObject") == 20


def test_a_manifest_that_was_rebuilt_gives_every_content(bulkup: Bulkup, place: Place) -> None:
    """Under its key, since names and times of duplicates are not at the destination."""
    root = make_photos(bulkup)
    env = {**place.env, **SETTINGS}
    bulkup("push", root, "--to", place.url, env=env)
    for file in bulkup.home.glob("manifest.db*"):
        file.unlink()
    bulkup("rebuild", "--from", place.url, env=env)
    bulkup("pull", "--into", "back", env=env)
    contents = {found[0] for found in tree(bulkup.directory / "back").values()}
    assert contents == {found[0] for found in tree(root).values()}
    assert (bulkup.directory / "back/sub/b.jpg").read_bytes() == FILES["sub/b.jpg"]
    assert bulkup("pull", "--into", "back", env=env).stdout.startswith("Nothing to pull")


def test_it_needs_a_manifest_and_a_folder(bulkup: Bulkup, tmp_path: Path) -> None:
    assert "bulkup restore --from" in bulkup("pull", "--into", "x", check=2).stderr
    assert "--into" in bulkup("pull", check=2).stderr
    ended = bulkup("pull", "--into", "x", "--restore-days", "3", check=2)
    assert "--restore is missing" in ended.stderr
    many(tmp_path / "photos", 1)
    bulkup("push", "photos", "--to", "store")
    (tmp_path / "file").write_bytes(b"")
    ended = bulkup("pull", "--into", "file", check=2)
    assert "cannot be used" in ended.stderr
    assert json.loads(bulkup("status", "--json").stdout)["runs"] == []


def test_a_destination_is_not_pulled_into(bulkup: Bulkup, tmp_path: Path) -> None:
    """By whatever name; a folder that a destination is in is another one."""
    many(tmp_path / "photos", 2)
    (tmp_path / "disk").mkdir()
    bulkup("push", "photos", "--to", "disk/store")
    (tmp_path / "link").symlink_to(tmp_path / "disk/store")
    before = tree(tmp_path / "disk")
    for into in ("disk/store", "disk/store/new", "link/new"):
        for options in ((), ("--dry-run",)):
            ended = bulkup("pull", "--into", into, *options, check=2)
            assert "is inside the destination" in ended.stderr
    assert tree(tmp_path / "disk") == before
    bulkup("pull", "--into", "disk")
    bulkup("pull", "--into", "disk/store 2")
    assert tree(tmp_path / "disk/store 2") == tree(tmp_path / "photos")


def test_a_pull_of_nothing_leaves_nothing(bulkup: Bulkup, tmp_path: Path) -> None:
    """Folders that were there stay."""
    many(tmp_path / "photos", 2)
    bulkup("push", "photos", "--to", "store")
    (tmp_path / "old").mkdir()
    for into in ("new", "old", "old/new/new"):
        ended = bulkup("pull", "*.none", "--into", into)
        assert "no file in the manifest matches" in ended.stdout
    assert (
        "no file in the manifest matches" in bulkup("pull", "*.none", "--into", "new", "-n").stdout
    )
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "old").iterdir()) == []
