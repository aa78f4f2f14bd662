"""Runs that are stopped, killed, or not alone."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, digest, make_tree, many, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

FILES = 60
IN_FLIGHT = ("--concurrency", "8")  # so many requests are held, whatever the window would do


def upload_states(bulkup: Bulkup) -> dict[str, Any]:
    found: dict[str, Any] = bulkup("status", "--json").json()["stages"]["upload"]
    return found


def sent(s3: FakeS3) -> dict[str, int]:
    """How often each key was put, answered or not; the probe's second put is refused by design."""
    counts: dict[str, int] = {}
    for seen in s3.seen:
        if seen.op == "PutObject" and seen.status == 200:
            counts[seen.path] = counts.get(seen.path, 0) + 1
    return counts


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_order(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], number: int, code: int
) -> None:
    """Claims are given back, the summary is printed, and a later push does the rest."""
    many(tmp_path / "photos", FILES)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=12, times=None, does="hold")])
    push = bulkup.start("push", "photos", "--to", "s3://bucket/p", *IN_FLIGHT, env=access(s3.url))
    s3.wait_for("PutObject", 14)
    push.send_signal(number)
    ended = bulkup.finish(push, check=code)
    assert ended.stdout.startswith("Stopped after")
    states = upload_states(bulkup)
    assert states["claimed"] == 0
    assert states["dead"] == states["waiting"] == 0
    assert states["done"] + states["ready"] == FILES
    s3.script()
    s3.release()
    bulkup("push", "photos", env=access(s3.url))
    assert upload_states(bulkup)["done"] == FILES
    assert set(s3.digests.values()) == {digest(picture(n)) for n in range(FILES)}


def test_the_second_signal_stops_at_once(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", FILES)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=4, times=None, does="hold")])
    push = bulkup.start("push", "photos", "--to", "s3://bucket", *IN_FLIGHT, env=access(s3.url))
    s3.wait_for("PutObject", 6)
    push.send_signal(signal.SIGINT)
    push.send_signal(signal.SIGTERM)
    ended = bulkup.finish(push)
    assert ended.code in (130, 143)
    s3.script()
    s3.release()
    bulkup("push", "photos", env=access(s3.url))
    assert upload_states(bulkup)["done"] == FILES


def test_a_killed_run_costs_at_most_what_was_in_flight(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", FILES)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=20, times=None, does="hold")])
    push = bulkup.start("push", "photos", "--to", "s3://bucket", *IN_FLIGHT, env=access(s3.url))
    s3.wait_for("PutObject", 22)
    push.kill()
    bulkup.finish(push, check=-signal.SIGKILL)
    assert bulkup("status", "--json").json()["stale_claims"] > 0
    in_flight = s3.most_in_flight
    s3.script()
    s3.release()
    bulkup("push", "photos", env=access(s3.url))
    states = upload_states(bulkup)
    assert states["done"] == FILES
    assert states["dead"] == 0
    assert set(s3.digests.values()) == {digest(picture(n)) for n in range(FILES)}
    # What had been answered and not yet been recorded is asked for again, and refused (412).
    assert max(sent(s3).values()) == 1
    assert s3.count("PutObject") <= FILES + 2 + 2 * in_flight + 20


def test_two_pushes_at_once_send_each_content_once(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 300)
    s3 = fake_s3()
    both = [
        bulkup.start("push", "photos", "--to", "s3://bucket", env=access(s3.url)) for _ in range(2)
    ]
    for push in both:
        ended = bulkup.finish(push, check=0)
        assert "locked" not in ended.stderr + ended.stdout
    assert sorted(s3.digests.values()) == sorted(digest(picture(n)) for n in range(300))  # type: ignore[type-var]
    assert set(sent(s3).values()) == {1}
    states = upload_states(bulkup)
    assert states["done"] == 300
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        twice = "SELECT count(*) FROM attempt GROUP BY item_id HAVING count(*) > 1"
        assert db.execute(twice).fetchall() == []


def test_two_pushes_of_two_trees_with_the_same_files(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Duplicates across two runs that are at work at the same time are sent once, too."""
    for name in ("one", "two"):
        many(tmp_path / name, 200)
    s3 = fake_s3()
    both = [
        bulkup.start("push", name, "--to", "s3://bucket", env=access(s3.url))
        for name in ("one", "two")
    ]
    for push in both:
        bulkup.finish(push, check=0)
    assert len(s3.held) == 200
    assert set(sent(s3).values()) == {1}
    status = bulkup("status", "--json").json()
    assert status["assets"] == {
        "total": 400,
        "unique": 200,
        "duplicates": 200,
        "bytes": 400 * 3000,
        "missing": 0,
    }


def test_the_first_ctrl_c_is_answered_at_once_and_the_second_says_so(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(faults=[Fault(op="PutObject", times=None, does="hold")])
    push = bulkup.start("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    s3.wait_for("PutObject", 1)
    push.send_signal(signal.SIGINT)
    assert push.stderr is not None
    answer = push.stderr.readline()
    while answer and not answer.startswith("Stopping: "):
        answer = push.stderr.readline()
    assert "Ctrl-C again to leave at once" in answer
    push.send_signal(signal.SIGINT)
    assert "stopped at once\n  Resume: bulkup resume\n" in bulkup.finish(push, check=130).stderr


def test_a_hangup_opens_the_log_again(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """As logrotate does it: the file is moved away, the signal sent, the run continues."""
    many(tmp_path / "photos", FILES)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=12, times=None, does="hold")])
    words = ("push", "photos", "--to", "s3://bucket/p", "--log-file", "log", *IN_FLIGHT)
    push = bulkup.start(*words, env=access(s3.url))
    s3.wait_for("PutObject", 14)
    (tmp_path / "log").rename(tmp_path / "log.1")
    push.send_signal(signal.SIGHUP)
    s3.script()
    s3.release()
    bulkup.finish(push, check=0)
    assert (tmp_path / "log.1").read_text().splitlines()[0].count("run_started") == 1
    assert '"event": "summary"' in (tmp_path / "log").read_text().splitlines()[-1]
