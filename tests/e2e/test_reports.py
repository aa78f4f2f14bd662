"""bulkup status, files and history: their schemas, their counts, their exit codes."""

from __future__ import annotations

import csv
import io
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import access, digest, make_tree, many, picture
from tests.fakes.faults import Fault
from tests.fakes.s3_server import FakeS3

pytestmark = pytest.mark.usefixtures("uploads_only")

STATES = {"ready", "claimed", "waiting", "done", "skipped", "dead"}
STAGE = STATES | {"bytes_done", "p50_ms", "p95_ms", "p99_ms"}
FAILURES = {
    *("rate_limit", "network", "server", "auth", "invalid", "changed", "missing", "resource"),
    "unknown",
}


def _check_schema(status: dict[str, Any]) -> None:
    assert set(status) == {
        *(
            "schema",
            "manifest",
            "generated_at",
            "assets",
            "stages",
            "searchable",
            "failures",
            "accepted",
        ),
        *("runs", "stale_claims", "destinations"),
    }
    assert status["schema"] == 1
    assert set(status["assets"]) == {"total", "unique", "duplicates", "bytes", "missing"}
    assert set(status["stages"]) == {"upload", "process", "embed"}
    for stage in status["stages"].values():
        assert set(stage) == STAGE
    assert set(status["failures"]) == FAILURES
    for destination in status["destinations"]:
        assert set(destination) - {"endpoint"} == {"url", "objects", "bytes"}


def test_status_before_anything_was_pushed(bulkup: Bulkup) -> None:
    """All zeros, exit 0, and no manifest is made by asking."""
    status = bulkup("status", "--json").json()
    _check_schema(status)
    assert status["assets"]["total"] == 0
    assert not bulkup.home.exists()
    assert bulkup("status", "--failed", "--json").json() == []
    assert bulkup("files", "--json").json() == []
    assert bulkup("history", "--json").json() == []


def test_status_counts_balance(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    """Upload states sum to the unique contents, whatever happened to each."""
    many(tmp_path / "photos", 20)
    make_tree(tmp_path / "photos", {"copy/00000.jpg": picture(0), "copy/00001.jpg": picture(1)})
    faults = [Fault(op="PutObject", path="*/0000[34].jpg", times=None, status=400)]
    s3 = fake_s3(faults=faults)
    bulkup("push", "photos", "--to", "s3://bucket/p", "--limit", "12", env=access(s3.url), check=3)
    status = bulkup("status", "--json").json()
    _check_schema(status)
    states = status["stages"]["upload"]
    assert states["dead"] == 2
    assert states["done"] == 10
    assert sum(states[state] for state in STATES) == status["assets"]["unique"]
    assert status["assets"]["total"] == 22
    bulkup("push", "photos", env=access(s3.url), check=3)
    status = bulkup("status", "--json").json()
    assert status["assets"] == {
        "total": 22,
        "unique": 20,
        "duplicates": 2,
        "bytes": 22 * 3000,
        "missing": 0,
    }
    states = status["stages"]["upload"]
    assert {state: states[state] for state in STATES} == {
        **dict.fromkeys(STATES, 0),
        "done": 18,
        "dead": 2,
    }
    assert states["bytes_done"] == 18 * 3000
    assert states["p50_ms"] <= states["p95_ms"] <= states["p99_ms"]
    assert status["failures"] == {**dict.fromkeys(FAILURES, 0), "invalid": 2}
    assert status["runs"] == []
    assert status["stale_claims"] == 0
    (there,) = status["destinations"]
    assert there.pop("endpoint").startswith("http://127.0.0.1:")
    assert there == {"url": "s3://bucket/p", "objects": 18, "bytes": 18 * 3000}


def test_status_names_what_failed(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    s3 = fake_s3(faults=[Fault(path="*/b.jpg", times=None, status=400)])
    bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url), check=3)
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert set(failed) == {
        *("path", "digest", "stage", "state", "error_class", "error", "attempts"),
        *("next_attempt_at", "destination"),
    }
    assert failed["path"] == str(tmp_path / "photos/b.jpg")
    assert failed["digest"] == digest(picture(2))
    assert (failed["stage"], failed["state"], failed["attempts"]) == ("upload", "dead", 1)
    assert failed["next_attempt_at"] is None
    assert failed["destination"] == "s3://bucket"
    rows = list(csv.DictReader(io.StringIO(bulkup("status", "--failed", "--csv", check=3).stdout)))
    assert [row["path"] for row in rows] == [failed["path"]]
    assert "b.jpg" in bulkup("status", "--failed", check=3).stdout
    assert "1 invalid" in bulkup("status").stdout


def test_cron_hears_nothing_as_long_as_nothing_has_failed(bulkup: Bulkup, tmp_path: Path) -> None:
    """--quiet leaves out what says that all is well; a table keeps its header, and a failure is
    shown all the same."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    for _ in range(2):
        assert bulkup("status", "--failed").stdout == "Nothing has failed.\n"
        silent = bulkup("status", "--failed", "--quiet")
        assert silent.stdout == silent.stderr == ""
        table = bulkup("status", "--failed", "--quiet", "--csv")
        assert table.stdout.startswith("path,digest,")
        assert table.stdout.count("\n") == 1
        bulkup("push", "photos", "--to", "store")
    make_tree(tmp_path / "photos", {"cut.zip": b"PK\3\4"})
    bulkup("push", "photos", check=3)
    assert "cut.zip" in bulkup("status", "--failed", "--quiet", check=3).stdout


def test_the_crontab_asks_quietly() -> None:
    """What it runs every day prints nothing when all is well."""
    lines = (Path(__file__).parents[2] / "examples" / "crontab").read_text().splitlines()
    jobs = [line for line in lines if " bulkup " in line and not line.startswith("#")]
    assert jobs
    assert all(" --quiet" in job for job in jobs)


def test_a_waiting_item_says_when_it_is_due(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "b.jpg": picture(2)})
    s3 = fake_s3(faults=[Fault(path="*/b.jpg", times=None, status=503, retry_after_seconds=0)])
    ended = bulkup(
        "push", "photos", "--to", "s3://bucket", "--patience", "0s", env=access(s3.url), check=3
    )
    assert "1 will retry" in ended.stdout
    (failed,) = bulkup("status", "--failed", "--json", check=3).json()
    assert failed["state"] == "waiting"
    assert failed["error_class"] == "rate_limit"
    assert failed["next_attempt_at"].endswith("Z")


def test_files_lists_every_asset(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1), "sub/b.png": picture(2, 100)})
    make_tree(tmp_path / "photos", {"sub/again.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    rows = bulkup("files", "--json").json()
    assert rows == [
        {
            "path": str(tmp_path / "photos" / name),
            "size_bytes": size,
            "digest": digest(picture(seed, size)),
            "key": key,
            "upload": "done",
            "process": None,
            "embed": None,
            "destination": str(tmp_path / "store"),
        }
        for name, size, seed, key in (
            ("a.jpg", 3000, 1, "a.jpg"),
            ("sub/again.jpg", 3000, 1, "a.jpg"),
            ("sub/b.png", 100, 2, "sub/b.png"),
        )
    ]
    assert [row["path"] for row in bulkup("files", "*.png", "--json").json()] == [
        str(tmp_path / "photos/sub/b.png")
    ]
    assert len(bulkup("files", "--csv").stdout.splitlines()) == 4


def test_history_tells_each_batch(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    bulkup("push", "photos")
    last, first = bulkup("history", "--json").json()
    assert (first["sent"], first["sent_bytes"], first["exit_code"]) == (1, 3000, 0)
    assert (last["sent"], last["files"], last["command"]) == (0, 1, "push")
    assert first["host"] == socket.gethostname()
    assert first["roots"] == str(tmp_path / "photos")
    assert first["destination"] == str(tmp_path / "store")
    assert len(bulkup("history", "--json", "--limit", "1").json()) == 1
    assert str(tmp_path / "store") in bulkup("history").stdout


def test_history_tells_runs_at_work_from_those_that_were_killed(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(faults=[Fault(op="PutObject", times=None, does="hold")])
    push = bulkup.start("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    s3.wait_for("PutObject", 1)
    assert bulkup("history").stdout.splitlines()[1].split()[2] == "running"
    push.kill()
    s3.release()
    bulkup.finish(push, check=-signal.SIGKILL)
    assert bulkup("history").stdout.splitlines()[1].split()[2] == "killed"
    (row,) = bulkup("history", "--json").json()
    assert row["exit_code"] is None


def test_a_run_at_work_is_shown(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    many(tmp_path / "photos", 10)
    s3 = fake_s3(faults=[Fault(op="PutObject", after=2, times=None, does="hold")])
    push = bulkup.start("push", "photos", "--to", "s3://bucket", env=access(s3.url))
    s3.wait_for("PutObject", 3)
    (run,) = bulkup("status", "--json").json()["runs"]
    assert set(run) == {"id", "command", "host", "pid", "alive", "heartbeat_at"}
    assert (run["command"], run["pid"], run["alive"]) == ("push", push.pid, True)
    machine = socket.gethostname()
    assert run["host"] == machine
    assert f"(pid {push.pid} on {machine})\n" in bulkup("status").stdout
    ended = bulkup("push", "photos", "--patience", "0s", env=access(s3.url), check=None)
    s3.release()
    bulkup.finish(push, check=0)
    assert f"pid {push.pid} on {machine}\n" in ended.stdout + ended.stderr
    assert ended.code == 0, "what another run has claimed is no failure"


def test_a_folder_means_all_that_is_below_it(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"2019/a.jpg": picture(1), "2019/x/b.jpg": picture(2)})
    make_tree(tmp_path / "photos", {"2020/c.jpg": picture(3)})
    bulkup("push", "photos", "--to", "store")
    for folder in ("photos/2019", "photos/2019/", "./photos/2019", "2019"):
        rows = bulkup("files", folder, "--json").json()
        assert [Path(row["path"]).name for row in rows] == ["a.jpg", "b.jpg"], folder


def test_nothing_found_is_said_with_the_reason(bulkup: Bulkup, tmp_path: Path) -> None:
    for command in ("status", "files", "history"):
        said = bulkup(command).stdout
        assert said.startswith("Nothing has been pushed yet (no manifest at "), command
        assert "Start: bulkup push DIR --to s3://bucket/prefix" in said
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "store")
    said = bulkup("files", "*.heic").stdout
    assert said == f"No file matches *.heic: 1 file known, in {tmp_path / 'photos'}.\n"


def test_files_says_which_destination_and_takes_one(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--to", "one")
    bulkup("push", "photos", "--to", "two")
    assert str(tmp_path / "two") in bulkup("files").stdout
    (row,) = bulkup("files", "--to", "one", "--json").json()
    assert (row["destination"], row["key"]) == (str(tmp_path / "one"), "a.jpg")
    bulkup("rebuild", "--from", "nowhere", check=4)
    refused = bulkup("files", "--to", "three", check=2).stderr
    assert "is not known" in refused
    assert "nowhere" not in refused, "nothing was ever reached there"


def test_status_says_how_to_look_into_a_destination_that_refused(
    bulkup: Bulkup, tmp_path: Path, fake_s3: Callable[..., FakeS3]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    s3 = fake_s3(faults=[Fault(op="*", status=403, code="InvalidAccessKeyId", times=None)])
    ended = bulkup("push", "photos", "--to", "s3://bucket", env=access(s3.url), check=4)
    closer = "bulkup doctor --to s3://bucket"
    assert f"\n  To look closer: {closer}\n" in ended.stderr, "a command stands on its own line"
    assert f"\nWhy: {closer}\nNext: bulkup resume\n" in bulkup("status").stdout


def test_status_says_how_the_last_run_ended_and_what_to_type(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    make_tree(tmp_path / "photos", {f"{n}.jpg": picture(n) for n in range(3)})
    bulkup("push", "photos", "--to", "store", "--limit", "1")
    said = bulkup("status").stdout
    assert "\nLast: push done " in said
    assert said.endswith("Next: bulkup resume\n")
