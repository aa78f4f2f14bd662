"""Many small files: two processes share the work, and nobody can tell from what they leave."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.trees import access, make_tree, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = [
    pytest.mark.usefixtures("uploads_only"),
    pytest.mark.skipif(
        not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
        reason="a second process needs Linux and a second core",
    ),
]

COUNT = 1200
ODD = ["é /日本.jpg", "100%.jpg", "a+b#c?.jpg", "two  blanks.jpg", os.fsdecode(b"no-utf8-\xff.jpg")]


def tree(folder: Path, *, twice: int = 100) -> dict[str, str]:
    """Many small files, so many of them twice; the digest of each by its path."""
    files = {f"{n % 7}/{n:05d}.jpg": picture(f"{n % (COUNT - twice)}", 900) for n in range(COUNT)}
    files |= {name: picture(-n, 700) for n, name in enumerate(ODD, 1)}
    make_tree(folder, files)
    return {name: sha256(body).hexdigest() for name, body in files.items()}


def kept(s3: FakeS3) -> dict[str, dict[str, str]]:
    """The headers of each stored object, but for what tells the moment."""
    moment = ("authorization", "x-amz-date")
    return {
        seen.path: {name: value for name, value in seen.headers.items() if name not in moment}
        for seen in s3.seen
        if seen.op == "PutObject" and seen.status == 200
    }


def test_one_core_and_two_store_the_same(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Keys, bytes and every header. Of two files with one content either may come first."""
    expected = tree(tmp_path / "photos", twice=0)
    push = (
        *("push", "photos", "--to", "s3://bucket/p", "--metadata", "owner=Zoë"),
        *("--tag", "a b=c&d", "--cache-control", "max-age=9", "--storage-class", "STANDARD_IA"),
    )
    two, one = fake_s3(), fake_s3()
    bulkup(*push, env=access(two.url))
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # what is started now has one core
    try:
        bulkup(*push, "--manifest", "one.db", env=access(one.url))
    finally:
        os.sched_setaffinity(0, allowed)
    assert two.digests == one.digests
    assert sorted(two.digests.values()) == sorted(set(expected.values()))
    of_one, of_two = kept(one), kept(two)
    port_free = [{**h, "host": ""} for _, h in sorted(of_one.items())]
    assert port_free == [{**h, "host": ""} for _, h in sorted(of_two.items())]


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(op="PutObject", after=n, does="reset") for n in range(0, 900, 90)],
        [Fault(op="PutObject", after=n, status=500) for n in range(0, 900, 90)],
        [Fault(op="PutObject", after=n, status=503, early=True) for n in range(0, 900, 90)],
        [Fault(op="PutObject", after=n, does="lose") for n in range(0, 900, 90)],
    ],
    ids=["reset", "500", "early 503", "answer lost"],
)
def test_faults_cost_nothing_but_tries(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], faults: list[Fault]
) -> None:
    expected = tree(tmp_path / "photos")
    s3 = fake_s3(faults=faults)
    bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    assert sorted(s3.digests.values()) == sorted(set(expected.values()))


def second_process(pid: int) -> int | None:
    """The process that `bulkup`, by its pid, has forked."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def test_a_second_process_that_is_killed_costs_nothing(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    expected = tree(tmp_path / "photos")
    s3 = fake_s3(faults=[Fault(op="PutObject", times=None, does="delay", delay_seconds=0.005)])
    run = bulkup.start("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    s3.wait_for("PutObject", 100)
    child = second_process(run.pid)
    assert child is not None
    os.kill(child, signal.SIGKILL)
    bulkup.finish(run, check=0)
    assert sorted(s3.digests.values()) == sorted(set(expected.values()))
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db, db:
        assert db.execute("SELECT max(attempts) FROM item").fetchone() == (1,)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_second_process_goes_with_the_first(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3], number: signal.Signals
) -> None:
    tree(tmp_path / "photos")
    s3 = fake_s3(faults=[Fault(op="PutObject", after=200, times=None, does="hold")])
    run = bulkup.start("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    s3.wait_for("PutObject", 200)
    child = second_process(run.pid)
    assert child is not None
    os.killpg(run.pid, number) if os.getpgid(run.pid) == run.pid else run.send_signal(number)
    s3.release()
    run.communicate(timeout=30)
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and not is_zombie(child):
        assert time.monotonic() < until, "it is still there"
        time.sleep(0.02)


def test_closed_standard_streams_do_not_cost_the_second_process(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Its socket may then have one of their numbers."""
    tree(tmp_path / "photos")
    s3 = fake_s3(faults=[Fault(op="PutObject", after=200, times=None, does="hold")])
    push = ("push", "photos", "--to", "s3://bucket")
    run = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", PROGRAM, *push],
        env=bulkup.environment(access(s3.url)),
        cwd=bulkup.directory,
    )
    bulkup.started.append(run)
    s3.wait_for("PutObject", 200)
    child = second_process(run.pid)
    assert child is not None
    assert not is_zombie(child)
    s3.release()
    assert run.wait(timeout=30) == 0


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_keys_that_are_renewed_in_mid_run_are_used_from_then_on(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """What was signed with the old ones is refused, and goes out again with the new ones."""
    expected = tree(tmp_path / "photos")
    s3 = fake_s3(
        faults=[Fault(access_key="OLD", after=300, times=None, status=400, code="ExpiredToken")]
    )
    keys = tmp_path / "keys"
    keys.write_text("OLD")
    script = tmp_path / "keys.sh"
    script.write_text(
        "#!/bin/sh\n"
        f'printf \'{{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"s"}}\' "$(cat {keys})"\n'
        f"printf NEW > {keys}\n"
    )
    script.chmod(0o755)
    (tmp_path / "aws").write_text(f"[default]\ncredential_process = {script}\n")
    env = {"AWS_CONFIG_FILE": str(tmp_path / "aws"), "AWS_ENDPOINT_URL": s3.url}
    bulkup("push", "photos", "--to", "s3://bucket", env=env)
    assert sorted(s3.digests.values()) == sorted(set(expected.values()))
