"""bulkup retry: dead letters and what waits, put right with one command."""

from __future__ import annotations

import os
import signal
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, digest, make_tree, many, objects_in, picture
from tests.fakes.faults import REQUEST_ID, Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

BAD = [f"bad/{n}.jpg" for n in range(5)]


def _failed(bulkup: Bulkup, *options: str) -> list[Any]:
    rows: list[Any] = bulkup("status", "--failed", "--json", *options, check=None).json()
    return rows


def _let_waits_end(bulkup: Bulkup, *, attempts: int | None = None) -> None:
    """As if the waits were over, and so many attempts made."""
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        db.execute("UPDATE item SET due_at = 0 WHERE state = 'waiting'")
        if attempts is not None:
            db.execute("UPDATE item SET attempts = ? WHERE state = 'waiting'", (attempts,))
    db.close()


def _tree(path: Path) -> Path:
    """Five files that will fail, after one by which the endpoint is learned, and others."""
    make_tree(path, {name: picture(name) for name in ("a.jpg", *BAD)})
    return many(path / "good", 20)


def test_nothing_to_retry(bulkup: Bulkup, tmp_path: Path) -> None:
    """Neither on a fresh machine nor when all is done."""
    assert bulkup("retry", "--failed").stdout == "Nothing to retry.\n"
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    assert bulkup("retry", "--failed").stdout == "Nothing to retry.\n"
    assert bulkup("retry", "--failed", "--dry-run").stdout == "Nothing to retry.\n"
    assert bulkup("retry", "--failed", "--dry-run", "--json").json() == []


def test_what_is_retried_must_be_said(bulkup: Bulkup) -> None:
    assert "retry --failed" in bulkup("retry", check=2).stderr
    bulkup("retry", "--failed", "--error", "nonsense", check=2)


def test_five_files_fail_for_good_and_are_put_right(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """They are dead after their attempts, with every error named, and retry uploads them."""
    _tree(tmp_path / "photos")
    s3 = fake_s3(faults=[Fault(op="PutObject", path="/bucket/bad/*", times=None, status=500)])
    env = access(s3.url)
    once = ("--max-errors", "5")  # else those that fail first fall due while the last still fail
    ended = bulkup("push", "photos", "--to", "s3://bucket", *once, env=env, check=3)
    assert "5 will retry" in ended.stdout
    assert {row["state"] for row in _failed(bulkup)} == {"waiting"}
    _let_waits_end(bulkup, attempts=4)
    ended = bulkup("resume", env=env, check=3)
    assert "5 failed" in ended.stdout
    rows = _failed(bulkup)
    assert [row["path"] for row in rows] == [str(tmp_path / "photos" / name) for name in BAD]
    assert {(r["state"], r["error_class"], r["attempts"]) for r in rows} == {("dead", "server", 5)}
    assert all("InternalError" in row["error"] for row in rows)
    assert "history" not in rows[0]
    for row in _failed(bulkup, "--verbose"):
        assert [one["number"] for one in row["history"]] == [1, 5]
        assert all(one["request_id"] == REQUEST_ID for one in row["history"])
        assert all(one["error_class"] == "server" for one in row["history"])
    text = bulkup("status", "--failed", "--verbose", check=3).stdout
    assert text.count(f"(request {REQUEST_ID})") == 10
    s3.script()
    s3.seen.clear()
    ended = bulkup("retry", "--failed", env=env)
    assert "5 uploaded" in ended.stdout
    assert s3.count("PutObject") == 5
    assert {s3.digests[f"/bucket/{name}"] for name in BAD} == {digest(picture(n)) for n in BAD}
    assert bulkup("status", "--failed").stdout == "Nothing has failed.\n"


def test_retry_grants_ten_attempts_and_says_what_still_fails(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    _tree(tmp_path / "photos")
    s3 = fake_s3(faults=[Fault(op="PutObject", path="/bucket/bad/*", times=None, status=400)])
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket", env=env, check=3)
    assert {row["state"] for row in _failed(bulkup)} == {"dead"}
    ended = bulkup("retry", "--failed", env=env, check=3)
    assert "5 failed" in ended.stdout
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        rows = db.execute("SELECT DISTINCT attempts, attempts_granted, priority FROM item "
                          "WHERE state = 'dead'").fetchall()  # fmt: skip
    assert rows == [(2, 10, 0)]


def test_only_what_matches_is_retried(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """By stage, error class and path; a dry run lists and changes nothing."""
    _tree(tmp_path / "photos")  # a.jpg goes first: later a 403 is one file's
    s3 = fake_s3(
        faults=[
            Fault(op="PutObject", path="/bucket/bad/[01].jpg", times=None, status=400),
            Fault(op="PutObject", path="/bucket/bad/*", times=None, status=403),
        ]
    )
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket", "--concurrency", "1", env=env, check=3)
    s3.script()
    classes = [row["error_class"] for row in _failed(bulkup)]
    assert classes == ["invalid", "invalid", "auth", "auth", "auth"]
    assert bulkup("retry", "--failed", "--stage", "embed", env=env).stdout == "Nothing to retry.\n"
    listed = bulkup("retry", "--failed", "--error", "invalid", "--dry-run", "--json").json()
    assert [row["path"][-9:] for row in listed] == ["bad/0.jpg", "bad/1.jpg"]
    assert {(row["stage"], row["error_class"]) for row in listed} == {("upload", "invalid")}
    shown = bulkup("retry", "--failed", "--path", "bad/2.jpg", "--dry-run").stdout
    assert "bad/2.jpg" in shown
    assert "bad/3.jpg" not in shown
    assert len(_failed(bulkup)) == 5
    bulkup("retry", "--failed", "--error", "invalid", env=env)
    assert {row["error_class"] for row in _failed(bulkup)} == {"auth"}
    bulkup("retry", "--failed", "--path", "*/2.jpg", env=env)
    assert [row["path"][-9:] for row in _failed(bulkup)] == ["bad/3.jpg", "bad/4.jpg"]


def test_no_rescan_and_the_same_manner(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """New files are not taken; layout and metadata are those of the push."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    s3 = fake_s3(faults=[Fault(op="PutObject", after=1, times=None, status=400)])
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket", "--layout", "content",
           "--cache-control", "max-age=60", env=env, check=3)  # fmt: skip
    s3.script()
    s3.seen.clear()
    make_tree(tmp_path / "photos", {"c.jpg": picture(3)})
    bulkup("retry", "--failed", env=env)
    puts = [seen for seen in s3.seen if seen.op == "PutObject"]
    assert {seen.headers["cache-control"] for seen in puts} == {"max-age=60"}
    names = {digest(picture(n)) for n in (1, 2)}
    assert set(s3.held) == {f"/bucket/{n[:2]}/{n[2:4]}/{n}.jpg" for n in names}


def test_two_destinations(bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]) -> None:
    """Each item goes where it failed; a destination that is down does not keep the other back."""
    make_tree(tmp_path / "one", {"a.jpg": picture(1)})
    make_tree(tmp_path / "two", {"b.jpg": picture(2)})
    s3 = fake_s3(faults=[Fault(op="PutObject", times=None, status=400)])
    env = access(s3.url)
    bulkup("push", "one", "--to", "s3://first/p", env=env, check=3)
    bulkup("push", "two", "--to", "s3://second/p", env=env, check=3)
    s3.script(Fault(path="/first*", times=None, status=404))
    ended = bulkup("retry", "--failed", env=env, check=4)
    assert "first" in ended.stderr
    assert set(s3.held) == {"/second/p/b.jpg"}
    s3.script()
    bulkup("resume", env=env)
    assert set(s3.held) == {"/first/p/a.jpg", "/second/p/b.jpg"}


def test_an_archive_that_could_not_be_read_is_looked_at_again(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {"sub/a.jpg": picture(1), "sub/b.zip": b"PK\x03\x04broken"})
    bulkup("push", "photos", "--to", "store", "--exclude", "no/", check=3)
    make_tree(tmp_path / "photos", {"sub/new.jpg": picture(9)})
    ended = bulkup("retry", "--failed", check=3)
    assert "1 failed" in ended.stdout
    with zipfile.ZipFile(tmp_path / "photos/sub/b.zip", "w") as archive:
        archive.writestr("in.jpg", picture(2))
        archive.writestr("no/in.jpg", picture(3))
    bulkup("retry", "--failed")
    assert objects_in(tmp_path / "store") == {
        "sub/a.jpg": picture(1),
        "sub/b.zip#in.jpg": picture(2),
    }
    assert _failed(bulkup) == []
    assert bulkup("push", "photos").stdout.startswith("Done")


def test_failures_beside_what_was_retried_are_not_counted(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """The archive alone is retried: a dead file elsewhere in its root is no reason for exit 3."""
    root = make_tree(tmp_path / "photos", {"1.jpg": picture(1), "bad.jpg": picture(2)})
    make_tree(root, {"b.zip": b"PK\x03\x04broken"})
    env = access(fake_s3(faults=[Fault(path="*/bad.jpg", times=None, status=400)]).url)
    bulkup("push", "photos", "--to", "s3://bucket", env=env, check=3)
    with zipfile.ZipFile(root / "b.zip", "w") as archive:
        archive.writestr("in.jpg", picture(3))
    assert "1 uploaded" in bulkup("retry", "--failed", "--path", "*b.zip", env=env).stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_could_not_be_read_is_looked_at_again(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "closed/deep/b.jpg": picture(2)})
    (tmp_path / "photos/closed").chmod(0)
    try:
        bulkup("push", "photos", "--to", "store", check=3)
        bulkup("retry", "--failed", check=3)
    finally:
        (tmp_path / "photos/closed").chmod(0o755)
    bulkup("retry", "--failed")
    assert set(objects_in(tmp_path / "store")) == {"a.jpg", "closed/deep/b.jpg"}
    assert _failed(bulkup) == []


def test_copies_that_failed_are_made(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """A copy that was not made leaves the push unfinished, and retry makes it."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(1)})
    s3 = fake_s3(faults=[Fault(op="CopyObject", times=None, status=400)])
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket", "--on-duplicate", "copy", env=env, check=3)
    assert len(s3.held) == 1
    s3.script()
    ended = bulkup("retry", "--failed", env=env)
    assert "1 copied" in ended.stdout
    assert set(s3.held) == {"/bucket/a.jpg", "/bucket/b.jpg"}
    assert bulkup("retry", "--failed", env=env).stdout == "Nothing to retry.\n"


def test_an_interrupted_retry_is_resumed(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    _tree(tmp_path / "photos")
    s3 = fake_s3(faults=[Fault(op="PutObject", path="/bucket/bad/*", times=None, status=400)])
    env = access(s3.url)
    bulkup("push", "photos", "--to", "s3://bucket", env=env, check=3)
    s3.script(Fault(op="PutObject", after=1, times=None, does="hold"))
    before = s3.arrived["PutObject"]
    retry = bulkup.start("retry", "--failed", env=env)
    s3.wait_for("PutObject", before + 2)
    retry.send_signal(signal.SIGINT)
    ended = bulkup.finish(retry, check=130)
    assert ended.stdout.startswith("Stopped after")
    assert "bulkup resume" in ended.stdout
    s3.script()
    s3.release()
    ended = bulkup("resume", env=env)
    assert "retried files" in ended.stderr
    assert _failed(bulkup) == []
    assert {s3.digests[f"/bucket/{name}"] for name in BAD} == {digest(picture(n)) for n in BAD}


@pytest.fixture
def refused(bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]) -> FakeS3:
    """A server that refused three files for good, in two folders, with class WRONG."""
    root = {"a.jpg": picture(1), "sub/b.jpg": picture(2), "sub/c.jpg": picture(3)}
    make_tree(tmp_path / "photos", root)
    fault = Fault(op="PutObject", times=None, status=400, code="Unheard")
    s3 = fake_s3(faults=[fault], keep_bodies=True)
    options = ("--to", "s3://bucket", "--storage-class", "WRONG")
    bulkup("push", "photos", *options, env=access(s3.url), check=3)
    assert len(_failed(bulkup)) == 3
    bulkup("push", "photos", *options, env=access(s3.url), check=3)
    s3.script()
    return s3


@pytest.mark.parametrize(
    "options",
    [
        ["--storage-class", "RIGHT"],
        ["--layout", "content", "--storage-class", "WRONG"],
        ["--tag", "album=x", "--storage-class", "WRONG"],
        ["--cache-control", "no-cache"],
        ["--metadata", "album=x"],
        [],
    ],
)
def test_a_push_with_other_options_takes_up_what_failed(
    bulkup: Bulkup, refused: FakeS3, options: list[str]
) -> None:
    env = access(refused.url)
    same = ("--storage-class", "WRONG")
    assert "3 failed" in bulkup("push", "photos", *same, env=env, check=3).stdout
    ended = bulkup("push", "photos", *options, env=env)
    assert "3 uploaded" in ended.stdout
    assert _failed(bulkup) == []
    layout_is_content = "content" in options
    keys = [seen.path for seen in refused.seen if seen.op == "PutObject"][-3:]
    assert ("/bucket/a.jpg" in keys) is not layout_is_content


def test_a_push_with_other_options_takes_up_what_it_selects(
    bulkup: Bulkup, refused: FakeS3
) -> None:
    env = access(refused.url)
    assert "2 uploaded" in bulkup("push", "photos/sub", env=env, check=None).stdout
    assert [Path(one["path"]).name for one in _failed(bulkup)] == ["a.jpg"]


def test_retry_sends_with_the_options_that_it_is_given(bulkup: Bulkup, refused: FakeS3) -> None:
    env = access(refused.url)
    bulkup("retry", "--failed", "--path", "a.jpg", env=env)
    options = ("--storage-class", "RIGHT", "--tag", "x=y", "--metadata", "album=x")
    assert "2 uploaded" in bulkup("retry", "--failed", *options, env=env).stdout
    puts = [seen.headers for seen in refused.seen if seen.op == "PutObject"][-3:]
    assert [headers["x-amz-storage-class"] for headers in puts] == ["WRONG", "RIGHT", "RIGHT"]
    assert [headers.get("x-amz-tagging") for headers in puts] == [None, "x=y", "x=y"]
    assert puts[-1]["x-amz-meta-album"] == "x"


@pytest.mark.parametrize(
    "option",
    [["--metadata", "Album=x"], ["--cache-control", "a\nb"], ["--tag", "t=" + "v" * 257]],
)
def test_an_option_that_no_object_can_carry_is_refused_before_any_work(
    bulkup: Bulkup, refused: FakeS3, option: list[str]
) -> None:
    env, requests = access(refused.url), len(refused.seen)
    for command in (["push", "photos"], ["retry", "--failed"]):
        assert "Traceback" not in bulkup(*command, *option, env=env, check=2).stderr
    assert len(refused.seen) == requests
