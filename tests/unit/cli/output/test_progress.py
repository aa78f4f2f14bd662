"""What the bars say, how they fit, and when there are none."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output.progress import Goodput, Screen, bar, eta_seconds, fraction, traffic
from bulkup.model import Snapshot, StageCount

STAGE = StageCount(done=1000, total=4000, failed=2, done_bytes=1_000_000, total_bytes=4_000_000)
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
STEADY = Goodput().after(1_000_000, 1000, 10.0)


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


# --- goodput ------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.integers(1, 10**6))
def test_a_steady_speed_is_found_at_once_and_kept(spans: list[float], speed: int) -> None:
    """However unevenly one looks: the mean has no bias, not even at the start."""
    goodput, at = Goodput(), 0.0
    for span in spans:
        at += span
        goodput = goodput.after(round(at * speed * 1000), 0, at)
        assert goodput.bytes_per_second == pytest.approx(speed * 1000, rel=0.01)


def test_a_change_of_speed_is_followed_within_a_minute() -> None:
    goodput = STEADY
    for second in range(1, 61):
        goodput = goodput.after(1_000_000 + second * 500_000, 1000, 10.0 + second)
    assert goodput.bytes_per_second == pytest.approx(500_000, rel=0.05)


def test_one_stalled_second_hardly_shows() -> None:
    goodput = Goodput().after(6_000_000, 0, 60.0).after(6_000_000, 0, 61.0)
    assert goodput.bytes_per_second == pytest.approx(100_000, rel=0.1)


def test_no_time_no_change() -> None:
    assert STEADY.after(2_000_000, 2000, 10.0) == STEADY
    assert Goodput().bytes_per_second == 0


# --- eta ----------------------------------------------------------------------------------------


def test_the_eta_is_what_is_left_by_bytes() -> None:
    assert eta_seconds(STAGE, STEADY) == pytest.approx(30)


def test_empty_files_are_counted_by_number() -> None:
    empty = StageCount(done=1000, total=4000)
    assert eta_seconds(empty, STEADY) == pytest.approx(30)


def test_nothing_left_takes_no_time_though_bytes_of_failed_files_are_missing() -> None:
    assert eta_seconds(STAGE._replace(done=3000, skipped=998), STEADY) == 0


def test_a_standstill_has_no_eta() -> None:
    assert eta_seconds(STAGE, Goodput()) is None


# --- lines --------------------------------------------------------------------------------------


def test_a_wide_line_says_everything() -> None:
    drawn = bar("Uploading", STAGE, STEADY, False, 119)
    assert drawn.words == " 25 %  976.6 KiB of 3.8 MiB  1,000/4,000 files  97.7 KiB/s  ETA 30 s"
    assert drawn.filled == round(drawn.width / 4)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (79, " 25 %  1,000/4,000 files  97.7 KiB/s  ETA 30 s"),
        (39, " 25 %  ETA 30 s"),
        (20, " 25 %"),
    ],
)
def test_a_narrow_line_keeps_what_matters_most(width: int, words: str) -> None:
    assert bar("Uploading", STAGE, STEADY, False, width).words == words


def test_while_the_walk_goes_on_no_end_is_forecast() -> None:
    drawn = bar("Uploading", STAGE, STEADY, True, 119)
    assert drawn.words.startswith("counting…")
    assert "ETA" not in drawn.words
    assert drawn.filled == 0
    assert traffic(SNAPSHOT._replace(walking=True), 119).startswith("12,345 found")


def test_below_the_bar_stand_window_flight_throttles_and_errors() -> None:
    assert traffic(SNAPSHOT, 119) == "24 connections · 20 in flight · 0 throttled · 3 errors"
    assert traffic(SNAPSHOT, 39) == "24 connections · 3 errors"
    assert traffic(SNAPSHOT._replace(throttled=2), 39) == "2 throttled · 3 errors"


def test_a_pause_says_why_escaped() -> None:
    assert traffic(SNAPSHOT._replace(paused="no net\x1b"), 79) == r"paused: no net\x1b"


counts = st.integers(0, 10**13)
stages = st.builds(StageCount, counts, counts, counts, counts, counts, counts)


@given(stages, st.integers(21, 200), st.booleans(), st.floats(0.1, 1e6))
def test_no_line_is_wider_than_the_terminal(
    stage: StageCount, width: int, walking: bool, at: float
) -> None:
    drawn = bar("Uploading", stage, Goodput().after(stage.done_bytes, 0, at), walking, width)
    assert 10 + drawn.width + 2 + len(drawn.words) <= width
    assert 0 <= drawn.filled <= drawn.width


@given(stages)
def test_a_fraction_lies_between_0_and_1(stage: StageCount) -> None:
    assert 0 <= fraction(stage) <= 1
    assert not math.isnan(fraction(stage))


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
    assert "ETA -" in text
