"""What the bars say, column below column, and the lines below them."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output.bars import (
    LABEL_WIDTH,
    bars_of,
    column_widths,
    details,
    row_of,
    stats_line,
    traffic,
)
from bulkup.cli.output.goodput import Speed, speed_from
from bulkup.cli.output.table import cells_wide
from bulkup.model import Snapshot, StageCount

UPLOAD = StageCount(
    done=395,
    total=540,
    done_bytes=153_400_000,
    total_bytes=293_300_000,
    duplicates=11,
    sent_bytes=150_000_000,
)
PROCESS = StageCount(done=84, total=508, failed=3, dead=1)
SNAPSHOT = Snapshot(
    stages={"upload": UPLOAD, "process": PROCESS, "embed": PROCESS._replace(failed=0, dead=0)},
    walking=False,
    walked_files=12345,
    window=24,
    in_flight=20,
    throttled=0,
    errors=0,
    elapsed_seconds=20.0,
    destination="s3://photos/2026 at http://127.0.0.1:9600",
)


def speed_of(stage: StageCount, seconds: float = 20.0) -> Speed:
    return speed_from(StageCount(), 0.0).after(stage, seconds)


def lines(snapshot: Snapshot, width: int, least: tuple[int, ...] = (5, 0, 0, 0, 9)) -> list[str]:
    rows = [
        row_of(name, stage, speed_of(stage), walking=snapshot.walking)
        for name, stage in snapshot.stages.items()
    ]
    return [
        f"{bar.label:<{LABEL_WIDTH}}{'=' * bar.filled}{'-' * (bar.width - bar.filled)}  {bar.words}"
        for bar in bars_of(rows, column_widths(rows, least), width)
    ]


def test_80_columns_have_a_grid_of_percent_files_bytes_rate_and_time() -> None:
    assert lines(SNAPSHOT, 79) == [
        "Uploading  ======------   52 %  395/540  146.3/279.7 MiB  7.2 MiB/s  ETA 18 s",
        "Processing ==----------   16 %   84/508         1 failed      4.2/s  ETA 1m 41s",
        "Searchable ==----------   16 %   84/508                       4.2/s  ETA 1m 41s",
    ]


def test_a_collection_of_20_000_fits_80_columns() -> None:
    upload = UPLOAD._replace(done=12_345, total=20_000)
    (line,) = lines(SNAPSHOT._replace(stages={"upload": upload}), 79)
    assert "12,345/20,000  146.3/279.7 MiB  7.2 MiB/s" in line


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (59, "  52 %  395/540  7.2 MiB/s  ETA 18 s"),
        (44, "  52 %  ETA 18 s"),
        (21, "  52 %"),
    ],
)
def test_a_narrow_terminal_keeps_what_matters_most(width: int, words: str) -> None:
    assert lines(SNAPSHOT, width)[0].endswith(words)


def test_the_columns_do_not_move_when_numbers_get_shorter() -> None:
    rows = [row_of("upload", UPLOAD, speed_of(UPLOAD), walking=False)]
    widths = column_widths(rows)
    short = UPLOAD._replace(done=5, done_bytes=1024**2 * 90)
    rows = [row_of("upload", short, speed_of(short), walking=False)]
    assert column_widths(rows, widths) == widths


def test_a_stage_that_is_through_is_done_and_has_no_rate_that_decays() -> None:
    through = UPLOAD._replace(done=540, done_bytes=293_300_000)
    (line,) = lines(SNAPSHOT._replace(stages={"upload": through}), 79)
    assert line.endswith("100 %  540/540  279.7/279.7 MiB  done")


def test_a_stage_that_failed_in_part_is_through_as_well() -> None:
    through = UPLOAD._replace(done=538, failed=2, dead=2)
    (line,) = lines(SNAPSHOT._replace(stages={"upload": through}), 79)
    assert "100 %" in line
    assert line.endswith("done")


def test_while_the_scan_goes_on_no_end_is_forecast() -> None:
    line = lines(SNAPSHOT._replace(walking=True), 79)[0]
    assert "395/540+" in line
    assert "ETA" not in line
    assert "=" not in line
    assert "12,345 found" in traffic(SNAPSHOT._replace(walking=True), 79)


def test_below_the_bars_stand_time_destination_requests_and_errors() -> None:
    assert traffic(SNAPSHOT, 99) == (
        "20 s · to s3://photos/2026 at http://127.0.0.1:9600 · 20 of 24 connections"
    )
    assert traffic(SNAPSHOT, 79) == ("20 s · to s3://photos/2026 · 20 of 24 connections")
    errors = SNAPSHOT._replace(errors=3, throttled=2)
    assert traffic(errors, 40) == "20 s · 2 throttled · 3 errors"


def test_a_pause_says_why_escaped() -> None:
    assert traffic(SNAPSHOT._replace(paused="no net\x1b"), 79) == r"paused: no net\x1b"


def test_a_stop_says_what_is_waited_for() -> None:
    stopping = SNAPSHOT._replace(is_stopping=True)
    said = "stopping: 20 requests to finish; Ctrl-C again to leave at once"
    assert traffic(stopping, 79) == said


def test_slow_files_and_the_last_error_have_a_line_each() -> None:
    snapshot = SNAPSHOT._replace(last_error="b.jpg: server: \x1bInternalError " + "x" * 99)
    slow, error = details(snapshot, [("2019/a very long name/" * 4 + "clip.mp4", 4 << 30)], 79)
    assert slow.endswith("clip.mp4 (4.0 GiB)")
    assert error.startswith(r"last error: b.jpg: server: \x1bInternalError xxx")
    assert error.endswith("…")
    assert max(len(slow), len(error)) <= 79 - LABEL_WIDTH


def test_the_line_for_a_log_says_it_all() -> None:
    speeds = {name: speed_of(stage) for name, stage in SNAPSHOT.stages.items()}
    assert stats_line(SNAPSHOT, speeds, "08:41") == (
        "08:41  upload 52 % 395/540 146.3/279.7 MiB 7.2 MiB/s ETA 18 s · "
        "process 16 % 84/508 1 failed 4.2/s ETA 1m 41s · "
        "embed 16 % 84/508 4.2/s ETA 1m 41s · 0 errors"
    )
    paused = SNAPSHOT._replace(paused="no net\x1b", walking=True)
    assert r"12,345 found · paused: no net\x1b · 0 errors" in stats_line(paused, speeds, "08:41")


counts = st.integers(0, 10**13)
stages = st.builds(StageCount, *[counts] * 9)


@given(st.lists(stages, min_size=1, max_size=3), st.integers(21, 200), st.booleans())
def test_no_line_is_wider_than_the_terminal_and_columns_line_up(
    found: list[StageCount], width: int, walking: bool
) -> None:
    names = ("upload", "process", "embed")
    snapshot = SNAPSHOT._replace(stages=dict(zip(names, found, strict=False)), walking=walking)
    for line in lines(snapshot, max(width, LABEL_WIDTH + 10)):
        assert len(line) <= max(width, LABEL_WIDTH + 10)
    assert cells_wide(traffic(snapshot, width)) <= max(width, 30)


@given(st.lists(stages, min_size=1, max_size=10))
def test_widths_only_grow(found: list[StageCount]) -> None:
    rows = [[row_of("upload", one, speed_of(one), walking=False)] for one in found]
    first = (5, 0, 0, 0, 9)
    widths = accumulate(rows, lambda last, row: column_widths(row, last), initial=first)
    for before, after in pairwise(widths):
        assert all(a <= b for a, b in zip(before, after, strict=True))


def test_a_pause_shows_neither_a_rate_nor_an_end() -> None:
    row = row_of("upload", UPLOAD, speed_of(UPLOAD), walking=False, paused=True)
    assert row.cells == ("52 %", "395/540", "146.3/279.7 MiB", "", "")


def test_with_a_cluster_its_workers_and_tasks_are_shown() -> None:
    shown = traffic(SNAPSHOT._replace(workers=8, tasks_out=13, destination=""), 79)
    assert "8 workers, 13 tasks out" in shown
    assert "connections" not in shown
