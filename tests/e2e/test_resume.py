"""bulkup resume: whatever a run left, the next one goes on with; and runs that are not alone."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup, Ended
from tests.e2e.pictures import photo
from tests.e2e.trees import access, digest, make_tree, many, objects_in, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

FILES = 60
EIGHT = ("--concurrency", "8")  # so many requests are held, whatever the window would do


def _states(bulkup: Bulkup) -> dict[str, Any]:
    found: dict[str, Any] = bulkup("status", "--json").json()["stages"]["upload"]
    return found


def _interrupted(
    bulkup: Bulkup, s3: FakeS3, *command: str, after: int = 12, number: int = signal.SIGINT
) -> Ended:
    """A push that is stopped when `after` files have been sent and some are in flight."""
    s3.script(Fault(op="PutObject", after=after, times=None, does="hold"))
    before = s3.arrived["PutObject"]
    push = bulkup.start("push", *command, *EIGHT, env=access(s3.url))
    s3.wait_for("PutObject", before + after + 2)
    push.send_signal(number)
    ended = bulkup.finish(push)
    assert ended.code != 0
    s3.script()
    s3.release()
    return ended


def _forget_the_walk(bulkup: Bulkup) -> None:
    """As if the run had been stopped before its walk came to an end."""
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        db.execute("UPDATE batch_root SET walked_at = NULL")
        db.execute("UPDATE root SET walked_at = NULL")
    db.close()


def test_nothing_to_resume(bulkup: Bulkup, tmp_path: Path) -> None:
    assert bulkup("resume").stdout == "Nothing to resume.\n"
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.zip": b"PK\x03\x04broken"})
    bulkup("push", "photos/a.jpg", "--to", "store")
    bulkup("push", "photos", check=3)
    assert bulkup("resume").stdout == "Nothing to resume.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_stopped_is_finished(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], number: int
) -> None:
    """It says what it found, and does it; then there is nothing to resume."""
    many(tmp_path / "photos", FILES)
    s3 = fake_s3()
    _interrupted(bulkup, s3, "photos", "--to", "s3://bucket/p", number=number)
    ended = bulkup("resume", env=access(s3.url))
    assert f"{tmp_path}/photos to s3://bucket/p\n" in ended.stderr
    assert " remaining" in ended.stderr
    states = _states(bulkup)
    assert (states["done"], states["dead"]) == (FILES, 0)
    assert set(s3.digests.values()) == {digest(picture(n)) for n in range(FILES)}
    assert bulkup("resume", env=access(s3.url)).stdout == "Nothing to resume.\n"
    runs = [(row["command"], row["exit_code"]) for row in bulkup("history", "--json").json()]
    assert max(runs) == ("resume", 0)
    assert len(runs) == 2
    assert {row["id"] for row in bulkup("history", "--json").json()} == {1}


def test_an_unfinished_walk_is_walked_again_as_it_was_begun(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """With its selection, layout and metadata; from wherever resume is called."""
    many(tmp_path / "photos", 30)
    s3 = fake_s3()
    _interrupted(bulkup, s3, "photos", "--to", "s3://bucket", "--exclude", "no/", "--layout",
                 "content", "--hidden", "--metadata", "by=me")  # fmt: skip
    _forget_the_walk(bulkup)
    make_tree(tmp_path / "photos", {".late.jpg": picture("late"), "no/x.jpg": picture("no")})
    (tmp_path / "elsewhere").mkdir()
    s3.seen.clear()
    ended = bulkup("resume", env=access(s3.url), cwd=tmp_path / "elsewhere")
    assert "scan not finished" in ended.stderr
    wanted = {digest(picture(n)) for n in (*range(30), "late")}
    assert set(s3.digests.values()) == wanted
    assert all(path == f"/bucket/{d[:2]}/{d[2:4]}/{d}.jpg" for path, d in s3.digests.items() if d)
    puts = [seen for seen in s3.seen if seen.op == "PutObject"]
    assert {seen.headers["x-amz-meta-by"] for seen in puts} == {"me"}
    assert bulkup("resume", env=access(s3.url)).stdout == "Nothing to resume.\n"


def test_a_root_that_is_gone_is_named_and_others_go_on(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    for name in ("one", "two"):
        make_tree(tmp_path / name, {f"{n}.jpg": picture(f"{name}{n}") for n in range(30)})
    s3 = fake_s3()
    for name in ("one", "two"):
        _interrupted(bulkup, s3, name, "--to", f"s3://bucket/{name}")
    (tmp_path / "one").rename(tmp_path / "away")
    ended = bulkup("resume", env=access(s3.url), check=3)
    assert str(tmp_path / "one") in ended.stderr
    assert "left as they are" in ended.stderr
    assert "to upload. Resume: bulkup resume" in ended.stdout
    assert {path for path in s3.held if "/two/" in path} == {
        f"/bucket/two/{n}.jpg" for n in range(30)
    }
    states = _states(bulkup)
    assert states["dead"] == states["waiting"] == 0
    (tmp_path / "away").rename(tmp_path / "one")
    bulkup("resume", env=access(s3.url))
    assert _states(bulkup)["done"] == 60


def test_a_list_that_is_not_kept_is_said_to_be_lost(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 40)
    (tmp_path / "list").write_text("".join(f"{n // 10:03}/{n:05}.jpg\n" for n in range(30)))
    s3 = fake_s3()
    _interrupted(bulkup, s3, "photos", "--files-from", "list", "--to", "s3://bucket")
    _forget_the_walk(bulkup)
    (tmp_path / "list").rename(tmp_path / "kept")
    ended = bulkup("resume", env=access(s3.url), check=3)
    assert "was not read to its end" in ended.stderr
    (tmp_path / "kept").rename(tmp_path / "list")
    ended = bulkup("resume", env=access(s3.url))
    assert "Reading the list" in ended.stderr
    assert len(s3.held) == 30


def test_a_multipart_upload_goes_on_where_it_was(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Parts that the store has are not sent again."""
    make_tree(tmp_path / "photos", {"large.jpg": picture(1, 40 << 20)})
    s3 = fake_s3(faults=[Fault(op="UploadPart", after=2, times=None, does="hold")])
    env = access(s3.url)
    bulkup.use_settings('[s3]\npart_threshold = "8MiB"\npart_size = "8MiB"\n')
    push = bulkup.start("push", "photos", "--to", "s3://bucket", env=env)
    s3.wait_for("UploadPart", 4)
    parts = sqlite3.connect(bulkup.home / "manifest.db")
    until = time.monotonic() + 30
    while parts.execute("SELECT count(*) FROM part").fetchone()[0] < 2:
        assert time.monotonic() < until
    parts.close()
    push.kill()
    bulkup.finish(push, check=-signal.SIGKILL)
    s3.script()
    s3.seen.clear()
    s3.release()
    ended = bulkup("resume", env=env)
    assert "1 multipart upload started" in ended.stderr
    late = [seen for seen in s3.seen if seen.op == "UploadPart" and seen.status == 200]
    assert len({seen.path for seen in late}) == 1
    assert s3.count("CreateMultipartUpload") == 0
    assert _states(bulkup)["done"] == 1
    assert len(s3.held) == 1


# Not alone --------------------------------------------------------------------------------------


def test_a_live_runs_work_is_left_to_it(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """push ends with 0 and says who has the rest; resume finds nothing to take over."""
    many(tmp_path / "photos", 20)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=4, times=None, does="hold")])
    first = bulkup.start("push", "photos", "--to", "s3://bucket", *EIGHT, env=access(s3.url))
    s3.wait_for("PutObject", 6)
    ended = bulkup("push", "photos", "--json", env=access(s3.url))
    summary = ended.lines()[-1]
    assert summary["event"] == "summary"
    assert summary["claimed_elsewhere"] > 0
    assert summary["exit_code"] == 0
    run = bulkup("status", "--json").json()["runs"][0]
    told = [line["message"] for line in ended.lines() if line["event"] == "notice"]
    assert any(run["id"] in text and f"pid {first.pid}" in text for text in told)
    assert run["host"] in told[-1]
    assert bulkup("resume", env=access(s3.url)).stdout == "Nothing to resume.\n"
    assert bulkup("retry", "--failed", env=access(s3.url)).stdout == "Nothing to retry.\n"
    s3.script()
    s3.release()
    bulkup.finish(first, check=0)
    assert _states(bulkup)["done"] == 20


def test_resumes_at_once_share_the_work(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 200)
    s3 = fake_s3()
    _interrupted(bulkup, s3, "photos", "--to", "s3://bucket")
    commands = [("resume",), ("resume",), ("push", "photos")]
    for run in [bulkup.start(*command, env=access(s3.url)) for command in commands]:
        ended = bulkup.finish(run, check=0)
        assert "locked" not in ended.stderr
    bulkup("resume", env=access(s3.url))
    assert _states(bulkup)["done"] == 200
    assert len(s3.held) == 200
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        twice = "SELECT count(*) FROM attempt GROUP BY item_id HAVING count(*) > 1"
        assert db.execute(twice).fetchall() == []
    db.close()


# Trouble of the whole run -----------------------------------------------------------------------


def _events(log: Path) -> set[str]:
    return {json.loads(line)["event"] for line in log.read_text().splitlines()}


def _wait_for_pause(log: Path, run: subprocess.Popen[str]) -> None:
    """Until the run says that it waits for its destination."""
    until = time.monotonic() + 60
    while not log.exists() or '"paused"' not in log.read_text():
        assert time.monotonic() < until
        assert run.poll() is None
        time.sleep(0.1)  # for another process


def test_keys_that_expire_for_a_while_fail_no_file(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", FILES)
    s3 = fake_s3(faults=[Fault(after=15, times=None, status=403, code="ExpiredToken")])
    log = ("--log-file", "log")
    push = bulkup.start("push", "photos", "--to", "s3://bucket", *log, *EIGHT, env=access(s3.url))
    _wait_for_pause(tmp_path / "log", push)
    s3.script()
    bulkup.finish(push, check=0)
    assert "failed" not in _events(tmp_path / "log")
    assert s3.count("*", 403) > 0
    assert _states(bulkup)["done"] == FILES


def test_keys_that_stay_expired_stop_the_run_and_resume_finishes(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Exit 4, nothing dead, no attempt counted; with good keys the rest is sent."""
    many(tmp_path / "photos", FILES)
    s3 = fake_s3()
    env = access(s3.url)
    s3.script(Fault(access_key=env["AWS_ACCESS_KEY_ID"], after=15, times=None, status=403,
                    code="ExpiredToken"))  # fmt: skip
    ended = bulkup("push", "photos", "--to", "s3://bucket", *EIGHT, env=env, check=4)
    assert "ExpiredToken" in ended.stderr
    states = _states(bulkup)
    assert states["dead"] == states["waiting"] == states["claimed"] == 0
    assert states["ready"] == FILES - states["done"] > 0
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        assert db.execute("SELECT sum(attempts) FROM item WHERE state = 'ready'").fetchone() == (0,)
    db.close()
    good = access(s3.url, AWS_ACCESS_KEY_ID="OTHERKEY")
    bulkup("resume", env=good)
    assert _states(bulkup)["done"] == FILES
    assert set(s3.digests.values()) == {digest(picture(n)) for n in range(FILES)}


def test_a_network_that_is_gone_for_a_while_is_waited_for(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", FILES)
    with FakeS3(faults=[Fault(op="PutObject", after=15, times=None, does="hold")]) as s3:
        port, env = int(s3.url.rpartition(":")[2]), access(s3.url)
        log = ("--log-file", "log")
        push = bulkup.start("push", "photos", "--to", "s3://bucket", *log, *EIGHT, env=env)
        s3.wait_for("PutObject", 17)
        sent = dict(s3.objects.held)
    _wait_for_pause(tmp_path / "log", push)  # all tries of some file have failed by then
    with FakeS3(port=port) as s3:
        s3.objects.held.update(sent)
        bulkup.finish(push, check=0)
        assert set(s3.digests.values()) == {digest(picture(n)) for n in range(FILES)}
    assert "failed" not in _events(tmp_path / "log")


def test_a_limit_stops_a_resume_like_a_push(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 40)
    bulkup("push", "photos", "--to", "store", "--limit", "10")
    ended = bulkup("resume", "--limit", "10")
    assert "10 uploaded" in ended.stdout
    assert "20 to upload" in ended.stdout
    bulkup("resume")
    assert len(objects_in(tmp_path / "store")) == 40


def test_what_fails_in_a_resumed_stage_is_exit_3(bulkup: Bulkup, tmp_path: Path) -> None:
    """Also where no push is resumed, only what a stage left."""
    make_tree(tmp_path / "photos", {"a.jpg": photo(1), "b.jpg": photo(2)[:300]})
    bulkup("push", "photos", "--to", "store", "--stages", "upload")
    bulkup("process", "--limit", "1")
    ended = bulkup("resume", check=3)
    assert "1 failed" in ended.stdout
    assert "bulkup status --failed" in ended.stdout
    assert bulkup("history", "--json").json()[0]["exit_code"] == 3
