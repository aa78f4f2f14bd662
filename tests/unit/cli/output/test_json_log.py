"""Events as JSON lines, whole and in order, whatever becomes of their readers."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from bulkup.cli.output.json_log import JsonLog, json_lines, open_log, reopen_log
from bulkup.errors import ExitCode, UsageError
from bulkup.events import FileDone, FilesDone, Notice, RunStarted

if TYPE_CHECKING:
    from pathlib import Path

STARTED = RunStarted("run1", "push", "s3://b/p", "/m.db", False)


class StoppedClock:
    """A clock that stands at 2026-11-21 20:00:00.250 UTC."""

    def now(self) -> float:
        return 1795291200.25

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def files_done(*paths: str) -> FilesDone:
    return FilesDone(tuple(FileDone(path, "k", "d" * 64, 1, "sent", 0.5) for path in paths))


def parsed(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_each_file_of_an_event_has_its_line_with_time_and_run(tmp_path: Path) -> None:
    log = open_log(str(tmp_path / "log"))
    with JsonLog([("log", log)], StoppedClock()) as json_log:
        json_log.emit(Notice("early"))
        json_log.emit(STARTED)
        json_log.emit(files_done("a", "b"))
    os.close(log)
    lines = parsed(tmp_path / "log")
    assert [line["event"] for line in lines] == ["notice", "run_started", "uploaded", "uploaded"]
    assert [line["run_id"] for line in lines] == [None, "run1", "run1", "run1"]
    assert {line["at"] for line in lines} == {"2026-11-21T20:00:00.250Z"}
    assert [line["path"] for line in lines[2:]] == ["a", "b"]


def test_names_come_back_byte_for_byte() -> None:
    name = os.fsdecode(b"caf\xe9\n\x1b[2J \xf0\x9f\x98\x80.jpg")
    line = json_lines(files_done(name), at=0.0, run_id="r")
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert rb"\udce9" in line
    assert os.fsencode(json.loads(line)["path"]) == os.fsencode(name)


def test_a_log_is_private_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for _ in range(2):
        log = open_log(str(path))
        with JsonLog([("log", log)], StoppedClock()) as json_log:
            json_log.emit(STARTED)
        os.close(log)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(parsed(path)) == 2


def test_a_log_that_cannot_be_opened_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone/log: No such file") as caught:
        open_log(str(tmp_path / "gone/log"))
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_reader_that_goes_away_costs_neither_the_run_nor_the_log(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    log = open_log(str(tmp_path / "log"))
    with JsonLog([("stdout", write_end), ("log", log)], StoppedClock()) as json_log:
        for number in range(100):
            json_log.emit(files_done(str(number)))
    os.close(write_end)
    os.close(log)
    assert [line["path"] for line in parsed(tmp_path / "log")] == [str(n) for n in range(100)]
    assert list(json_log.take_lost()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_reported_once_and_costs_nothing_else() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with JsonLog([("--log-file x", full)], StoppedClock()) as json_log:
        json_log.emit(STARTED)
        json_log.emit(STARTED)
    os.close(full)
    (message,) = json_log.take_lost()
    assert message.startswith("--log-file x: No space left on device")
    assert list(json_log.take_lost()) == []


class Unwritable(Notice):
    """An event that cannot be written: a bug."""

    def as_json(self) -> list[dict[str, Any]]:
        raise ZeroDivisionError


@pytest.mark.timeout(30)
def test_a_writer_that_dies_does_not_hang_the_run(tmp_path: Path) -> None:
    log = open_log(str(tmp_path / "log"))
    with JsonLog([("log", log)], StoppedClock(), queue_length=2) as json_log:
        json_log.emit(STARTED)
        json_log.emit(Unwritable("bug"))
        for number in range(100):
            json_log.emit(files_done(str(number)))
    os.close(log)
    assert [line["event"] for line in parsed(tmp_path / "log")] == ["run_started"]
    (message,) = json_log.take_lost()
    assert message.startswith("log: ZeroDivisionError")


@pytest.mark.timeout(30)
def test_a_reader_that_stops_reading_is_given_up() -> None:
    read_end, write_end = os.pipe()  # nobody reads, and nobody closes it
    large = files_done("x" * 200_000)
    with JsonLog(
        [("stdout", write_end)], StoppedClock(), queue_length=2, stalled_seconds=0.01
    ) as json_log:
        for _ in range(10):
            json_log.emit(large)
    assert list(json_log.take_lost()) == [
        "stdout: stopped reading; later events are not written there"
    ]
    os.close(read_end)  # write_end stays open: the writer may still be about to use it


@pytest.mark.timeout(30)
def test_the_end_of_a_run_does_not_wait_for_a_reader_that_stopped() -> None:
    read_end, write_end = os.pipe()
    with JsonLog([("stdout", write_end)], StoppedClock(), stalled_seconds=0.01) as json_log:
        json_log.emit(files_done("x" * 200_000))
    assert len(list(json_log.take_lost())) == 1
    os.close(read_end)  # write_end stays open: the writer may still be about to use it


def test_a_slow_reader_does_not_hold_up_the_run() -> None:
    """More than a pipe holds is taken at once, and arrives when somebody reads."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader:
        with JsonLog([("stdout", write_end)], StoppedClock()) as json_log:
            for number in range(1000):
                json_log.emit(files_done(str(number), "x" * 200))
            first = [reader.readline() for _ in range(2000)]
        os.close(write_end)
        assert reader.read() == b""
    assert [json.loads(line)["path"] for line in first[::2]] == [str(n) for n in range(1000)]


def test_a_log_that_was_moved_away_is_reopened(tmp_path: Path) -> None:
    path, moved = tmp_path / "log", tmp_path / "log.1"
    log = open_log(str(path))
    with JsonLog([("log", log)], StoppedClock()) as json_log:
        json_log.emit(STARTED)
    path.rename(moved)
    reopen_log(str(path), log)
    with JsonLog([("log", log)], StoppedClock()) as json_log:
        json_log.emit(Notice("later"))
    path.rename(tmp_path / "log.2")
    (tmp_path / "log").mkdir()
    reopen_log(str(path), log)  # cannot be opened: the old one stays
    os.write(log, b"still\n")
    os.close(log)
    assert [line["event"] for line in parsed(moved)] == ["run_started"]
    assert (tmp_path / "log.2").read_text().endswith("still\n")
