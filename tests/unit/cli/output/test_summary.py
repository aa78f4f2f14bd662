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


def upload(**numbers: int) -> dict[str, int]:
    """The numbers of a stage; what is not named is 0."""
    names = ("done", "duplicates", "unchanged", "ready", "waiting", "dead", "claimed")
    return {**dict.fromkeys(names, 0), **numbers, "total": sum(numbers.values())}


def later(**numbers: int) -> dict[str, int]:
    names = ("done", "skipped", "ready", "waiting", "dead", "claimed", "upcoming")
    return {**dict.fromkeys(names, 0), **numbers, "total": sum(numbers.values())}


BUSY = replace(
    IDLE, new=1154, unchanged=50, sent=1100, sent_bytes=4 * 1024**3, duplicates=54,
    duplicate_bytes=120 * 1024**2, stages={"upload": upload(done=1100, duplicates=54, unchanged=50)}
)  # fmt: skip


def test_nothing_to_do_is_said_in_one_line() -> None:
    assert render.summary_lines(IDLE) == ["Nothing changed: 1,204 files, all in s3://b/p"]
    assert render.summary_line(IDLE) == "Nothing changed: 1,204 files, all in s3://b/p"


def test_no_file_at_all_is_not_called_unchanged() -> None:
    empty = replace(IDLE, files=0, unchanged=0)
    assert (
        render.summary_line(empty)
        == "Nothing to do: no picture or video was found (--all-files takes all files)."
    )
    left = replace(empty, left_out=3)
    assert render.summary_line(left) == "Nothing to do: no file was selected, 3 files ignored."
    left = replace(empty, left_out=1)
    assert render.summary_line(left) == "Nothing to do: no file was selected, 1 file ignored."


@pytest.mark.parametrize(
    "change",
    [{"gone": 1}, {"waiting": 1}, {"dead": 1}, {"ready": 1}, {"claimed_elsewhere": 1},
     {"adopted": 1}, {"changed": 1}, {"interrupted": True}],
)  # fmt: skip
def test_where_anything_happened_nothing_is_not_claimed(change: dict[str, int]) -> None:
    assert "Nothing" not in render.summary_line(replace(IDLE, **change))  # type: ignore[arg-type]


def test_a_good_run_names_counts_bytes_rate_and_savings() -> None:
    files = (
        "1,204 files: 1,100 uploaded (4.0 GiB at 20.5 MiB/s), 54 duplicates (120.0 MiB saved), "
        "50 unchanged."
    )
    assert render.summary_lines(BUSY, 200) == ["Done in 3m 20s, to s3://b/p.", files]
    assert render.summary_line(BUSY) == f"Done in 3m 20s, to s3://b/p. {files}"


def test_lines_fit_the_terminal_and_break_no_word() -> None:
    lines = render.summary_lines(BUSY, 60)
    assert max(map(len, lines)) <= 60
    assert " ".join(lines) == render.summary_line(BUSY)


def test_the_later_stages_are_one_sentence() -> None:
    stages = {
        "upload": upload(done=384, duplicates=28, ready=128),
        "process": later(done=88, dead=1, ready=295, upcoming=128),
        "embed": later(done=84, upcoming=427),
    }
    stopped = replace(BUSY, sent=384, stages=stages, dead=1, ready=428, interrupted=True)
    lines = render.summary_lines(stopped, 200)
    assert lines[2] == "Thumbnails 88 of 512 (1 failed), searchable 84 of 511."


def test_where_nothing_was_sent_unchanged_files_are_not_called_there() -> None:
    stages = {"upload": upload(unchanged=12), "process": later(ready=12)}
    refused = replace(BUSY, sent=0, stages=stages, ready=12, error="no bucket", exit_code=4)
    assert render.summary_lines(refused, 80) == ["Nothing was sent."]
    stages = {"upload": upload(ready=6)}
    refused = replace(refused, stages=stages, ready=6)
    assert render.summary_lines(refused, 80) == ["Nothing was sent.", "6 files: 6 to upload."]


def test_failures_are_named_by_class_with_what_to_type_next() -> None:
    failed = replace(
        BUSY, waiting=3, dead=1, failures={"invalid": 1, "network": 3},
        stages={"upload": upload(done=1100, duplicates=54, unchanged=46, waiting=3, dead=1)},
    )  # fmt: skip
    lines = render.summary_lines(failed)
    assert lines[0] == "Ended in 3m 20s, to s3://b/p."
    assert "Why: network 3, invalid 1." in lines
    assert lines[-1] == "Retry now: bulkup retry --failed"
    line = render.summary_line(failed)
    assert "\n" not in line
    assert "Why: network 3, invalid 1. See why: bulkup status --failed" in line


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
    hints = [line for line in lines if ": " in line and "bulkup" in line]
    assert [hint.split("bulkup ")[1].split()[0] for hint in hints] == commands


def test_one_is_singular() -> None:
    one = replace(IDLE, files=1, unchanged=0, new=1, duplicates=1)
    line = render.summary_line(replace(one, stages={"upload": upload(duplicates=1)}))
    assert "1 file: " in line
    assert "1 duplicate (" in line
    assert render.summary_line(replace(IDLE, files=1)).startswith("Nothing changed: 1 file, ")
    walked = RootWalked("/r", 1, 10, 1, 0, 0, 0, 1, 0.1)
    assert str(walked) == "/r: 1 file (1 new, 0 changed, 0 deleted locally, 1 ignored)"


def test_after_an_interrupt_resume_is_named_first() -> None:
    stopped = replace(BUSY, ready=7, interrupted=True)
    line = render.summary_line(stopped)
    assert line.startswith("Stopped after 3m 20s, to s3://b/p. ")
    assert line.endswith(" Resume: bulkup resume")
    lines = render.summary_lines(replace(stopped, waiting=7, dead=762))
    assert [line.split(":")[0] for line in lines[-3:]] == ["Resume", "See why", "Retry now"]


def test_a_run_that_was_refused_at_once_says_that_nothing_was_sent() -> None:
    refused = replace(IDLE, ready=3, error="NoSuchBucket (404)", exit_code=4,
                      stages={"upload": upload(ready=3)})  # fmt: skip
    assert render.summary_line(refused) == "Nothing was sent. 3 files: 3 to upload."


def test_a_dry_run_says_that_nothing_was_sent() -> None:
    lines = render.summary_lines(replace(BUSY, ready=1100, dry_run=True))
    assert lines[0] == "Dry run to s3://b/p: nothing was sent or written."
    assert "1,100 to upload (4.0 GiB)" in lines[1]
    assert "/s" not in lines[1]


def test_a_destination_with_control_characters_is_escaped() -> None:
    assert "\x1b" not in render.summary_line(replace(BUSY, destination="/a\x1b[2J"))


def test_after_a_refusal_what_is_unchanged_is_not_said_to_be_there() -> None:
    refused = replace(IDLE, error="no bucket", exit_code=4, stages={"upload": upload(unchanged=4)})
    assert render.summary_lines(refused) == ["Nothing was sent."]
