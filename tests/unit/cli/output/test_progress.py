"""When there are bars, and what is printed above or instead of them."""

from __future__ import annotations

import asyncio
import io

import pytest

from bulkup.cli.output.progress import Screen, Speeds, StatsLines
from bulkup.model import Snapshot, StageCount
from tests.fakes.clock import FakeClock

STAGE = StageCount(
    done=1000, total=4000, failed=2, dead=2, done_bytes=1_000_000, total_bytes=4_000_000
)
SNAPSHOT = Snapshot(
    stages={"upload": STAGE},
    walking=False,
    walked_files=12345,
    window=24,
    in_flight=20,
    throttled=0,
    errors=3,
    elapsed_seconds=10.0,
)


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


# --- the screen ---------------------------------------------------------------------------------


def shown(stream: io.StringIO, environ: dict[str, str], **options: bool) -> str:
    with Screen(lambda: SNAPSHOT, stream, environ, **options) as screen:
        screen.say("sent [red]a\x1b[2J\nsent b")
    return stream.getvalue()


def test_a_terminal_gets_the_bar_and_lines_above_it() -> None:
    text = shown(Terminal(), {"TERM": "xterm", "COLUMNS": "80"})
    assert text.index(r"sent [red]a\x1b[2J") < text.rindex("Uploading")
    assert "24 connections" in text


def test_no_color_keeps_the_bar_and_takes_the_colours() -> None:
    text = shown(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert "Uploading" in text
    assert "\x1b[3" not in text.replace("\x1b[2K", "")


@pytest.mark.parametrize(
    ("stream", "environ", "quiet"),
    [
        (io.StringIO(), {"TERM": "xterm"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "xterm"}, True),
    ],
    ids=["pipe", "dumb", "quiet"],
)
def test_elsewhere_there_are_plain_lines_only(
    stream: io.StringIO, environ: dict[str, str], quiet: bool
) -> None:
    assert shown(stream, environ, quiet=quiet) == "sent [red]a\\x1b[2J\nsent b\n"


def test_work_of_earlier_runs_is_no_goodput() -> None:
    """A resumed run begins with bytes done long ago; its rate begins at nothing."""
    text = shown(Terminal(), {"TERM": "xterm"})
    assert "0 B/s" in text
    speeds = Speeds()
    speeds.after(SNAPSHOT._replace(stages={"upload": StageCount()}, elapsed_seconds=0.1))
    found = speeds.after(SNAPSHOT)
    assert found["upload"].done.bytes_per_second == 0


def test_a_file_that_takes_long_is_named() -> None:
    taken = iter(float(second) for second in range(0, 1000, 5))

    def take() -> Snapshot:
        return SNAPSHOT._replace(elapsed_seconds=next(taken), in_hand=(("2019/clip.mp4", 4 << 30),))

    stream = Terminal()
    with Screen(take, stream, {"TERM": "xterm"}) as screen:
        assert "clip.mp4" not in stream.getvalue()
        for _ in range(3):
            screen.say("a line")
    assert "2019/clip.mp4 (4.0 GiB)" in stream.getvalue()


async def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    said: list[str] = []
    clock = FakeClock()
    lines = asyncio.create_task(StatsLines(lambda: SNAPSHOT, said.append, clock, 60.0).run())
    for _ in range(500):
        await asyncio.sleep(0)
    lines.cancel()
    assert "upload 25 % 1,000/4,000" in said[0]
    assert clock.monotonic() >= 60 * len(said) > 0


async def test_the_first_line_has_the_speeds_of_stages_that_began_after_the_start() -> None:
    said: list[str] = []
    clock = FakeClock()
    began = clock.monotonic()

    def take() -> Snapshot:
        seconds = clock.monotonic() - began
        done = int(10 * seconds)
        stage = StageCount(done=done, total=1000 if seconds else 0)
        return SNAPSHOT._replace(stages={"process": stage}, elapsed_seconds=seconds)

    lines = asyncio.create_task(StatsLines(take, said.append, clock, 30.0).run())
    for _ in range(500):
        await asyncio.sleep(0)
    lines.cancel()
    assert "process 30 % 300/1,000 10.0/s ETA 1m 10s" in said[0]
