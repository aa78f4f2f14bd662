"""The summary at the end of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bulkup.cli.output import summary as render
from bulkup.events import RootWalked, Summary

IDLE = Summary(
    run_id="r",
    command="push",
    destination="s3://b/p",
    seconds=200.0,
    files=1204,
    new=0,
    changed=0,
    unchanged=1204,
    gone=0,
    left_out=0,
    sent=0,
    sent_bytes=0,
    adopted=0,
    duplicates=0,
    duplicate_bytes=0,
    copied=0,
    waiting=0,
    dead=0,
    ready=0,
    claimed_elsewhere=0,
    throttled=0,
)
BUSY = replace(
    IDLE, new=1154, unchanged=50, sent=1100, sent_bytes=4 * 1024**3, duplicates=54,
    duplicate_bytes=120 * 1024**2,
)  # fmt: skip


def test_nothing_to_do_is_said_in_one_line() -> None:
    assert render.summary_lines(IDLE) == ["Nothing changed: 1,204 files, all in s3://b/p"]
    assert render.summary_line(IDLE) == "Nothing changed: 1,204 files, all in s3://b/p"


def test_no_file_at_all_is_not_called_unchanged() -> None:
    empty = replace(IDLE, files=0, unchanged=0)
    assert render.summary_line(empty) == "Nothing to do"
    left = replace(empty, left_out=3)
    assert render.summary_line(left) == "Nothing to do: no file was selected, 3 files ignored"
    left = replace(empty, left_out=1)
    assert render.summary_line(left) == "Nothing to do: no file was selected, 1 file ignored"


@pytest.mark.parametrize(
    "change",
    [{"gone": 1}, {"waiting": 1}, {"dead": 1}, {"ready": 1}, {"claimed_elsewhere": 1},
     {"adopted": 1}, {"changed": 1}, {"interrupted": True}],
)  # fmt: skip
def test_where_anything_happened_nothing_is_not_claimed(change: dict[str, int]) -> None:
    assert "Nothing" not in render.summary_line(replace(IDLE, **change))  # type: ignore[arg-type]


def test_a_good_run_names_counts_bytes_rate_and_savings() -> None:
    assert render.summary_lines(BUSY) == [
        "Done in 3m 20s, to s3://b/p",
        "  sent        1,100  4.0 GiB at 20.5 MiB/s",
        "  duplicates     54  120.0 MiB saved",
        "  unchanged      50",
    ]
    assert render.summary_line(BUSY) == (
        "Done in 3m 20s, to s3://b/p: 1,100 sent (4.0 GiB at 20.5 MiB/s), "
        "54 duplicates (120.0 MiB saved), 50 unchanged"
    )


def test_failures_are_named_by_class_with_what_to_type_next() -> None:
    failed = replace(BUSY, waiting=3, dead=1, failures={"invalid": 1, "network": 3})
    lines = render.summary_lines(failed)
    assert lines[0] == "Partly done after 3m 20s, to s3://b/p"
    assert "Why: network 3, invalid 1" in lines
    assert any(line.startswith("Next: bulkup retry --failed") for line in lines)
    line = render.summary_line(failed)
    assert "\n" not in line
    assert "why: network 3, invalid 1; next: bulkup status --failed" in line


@pytest.mark.parametrize(
    ("change", "commands"),
    [
        ({"command": "retry", "dead": 1}, ["status"]),
        ({"command": "retry", "dead": 1, "waiting": 1}, ["status", "retry"]),
        ({"command": "push", "dead": 1}, ["status", "retry"]),
    ],
)
def test_after_a_retry_the_dead_are_not_to_be_retried_at_once(
    change: dict[str, object], commands: list[str]
) -> None:
    lines = render.summary_lines(replace(BUSY, **change))  # type: ignore[arg-type]
    hints = [line for line in lines if line.startswith("Next: ")]
    assert [hint.split()[2] for hint in hints] == commands


def test_one_is_singular() -> None:
    line = render.summary_line(replace(IDLE, files=1, unchanged=0, new=1, duplicates=1))
    assert "1 duplicate (" in line
    assert render.summary_line(replace(IDLE, files=1)).startswith("Nothing changed: 1 file, ")
    walked = RootWalked("/r", 1, 10, 1, 0, 0, 0, 1, 0.1)
    assert str(walked) == "/r: 1 file (1 new, 0 changed, 0 deleted locally, 1 ignored)"


def test_an_interrupted_run_says_how_to_go_on() -> None:
    line = render.summary_line(replace(BUSY, ready=7, interrupted=True))
    assert line.startswith("Interrupted after 3m 20s, to s3://b/p: ")
    assert line.endswith("; next: bulkup resume            continue where this run stopped")


def test_a_dry_run_says_that_nothing_was_sent() -> None:
    lines = render.summary_lines(replace(BUSY, ready=1100, dry_run=True))
    assert lines[0] == "Dry run to s3://b/p: nothing was sent or written"
    assert "to send     1,100  4.0 GiB" in lines[1]
    assert "/s" not in lines[1]


def test_a_destination_with_control_characters_is_escaped() -> None:
    assert "\x1b" not in render.summary_line(replace(BUSY, destination="/a\x1b[2J"))
