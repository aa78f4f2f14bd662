"""Which runs are alive: by the process table here, by their signs of life elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulkup.manifest.runs import RunRow
from bulkup.run.heartbeat import HEARTBEAT_SECONDS, here, process_started, start_by_ps

NOW = 1_800_000_000.0


def run(pid: int, started: str, *, host: str | None = None, heartbeat_at: float = NOW) -> RunRow:
    return RunRow("a", "push", host or here().host, pid, started, NOW - 1e6, heartbeat_at)


def is_gone(row: RunRow) -> bool:
    return here().is_gone(row, now=NOW, stale_after_seconds=600)


def test_a_process_that_runs_is_alive_however_long_it_was_silent() -> None:
    assert not is_gone(run(os.getpid(), process_started(os.getpid()), heartbeat_at=0))


def test_a_process_that_ended_is_gone_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        started = process_started(process.pid)
    assert process_started(process.pid) == ""
    assert is_gone(run(process.pid, started or "1"))


def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()  # its end is closed: it has ended, and is a zombie now or soon
        while process_started(process.pid):
            pass
        assert process.returncode is None


def test_a_pid_that_was_given_to_another_process_is_not_the_run() -> None:
    assert is_gone(run(os.getpid(), "1"))


def test_a_run_elsewhere_is_believed_until_its_last_sign_is_stale() -> None:
    assert not is_gone(run(1, "1", host="elsewhere", heartbeat_at=NOW - 599))
    assert is_gone(run(1, "1", host="elsewhere", heartbeat_at=NOW - 601))


def test_a_run_whose_start_is_unknown_is_believed_as_one_elsewhere() -> None:
    assert not is_gone(run(2**22 + 1, "", heartbeat_at=NOW - 10))
    assert is_gone(run(2**22 + 1, "", heartbeat_at=NOW - 601))


def test_signs_of_life_come_often_enough() -> None:
    assert HEARTBEAT_SECONDS * 10 <= 600


def test_this_machine_has_one_name() -> None:
    assert here() == here()
    assert process_started(os.getpid()) == process_started(os.getpid())


@pytest.mark.parametrize(
    ("script", "started"),
    [("echo ' Sat Nov 28 11:00:00 2026'", "Sat Nov 28 11:00:00 2026"), ("exec sleep 60", None)],
)
def test_a_ps_that_does_not_end_says_nothing(
    tmp_path: Path, script: str, started: str | None
) -> None:
    """Then the heartbeat alone tells whether a run is alive."""
    ps = tmp_path / "ps"
    ps.write_text(f"#!/bin/sh\n{script}\n")
    ps.chmod(0o700)
    timeout_seconds = 0.05 if started is None else 10.0
    assert start_by_ps(1, ps=str(ps), timeout_seconds=timeout_seconds) == started


def test_a_missing_ps_says_nothing(tmp_path: Path) -> None:
    assert start_by_ps(1, ps=str(tmp_path / "ps")) is None
