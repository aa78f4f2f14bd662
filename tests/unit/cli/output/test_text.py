"""What people get to read: safe names, numbers, tables, summaries."""

from __future__ import annotations

import io
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output import text as render
from bulkup.cli.output.text import Column
from bulkup.events import RootWalked, Summary


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.jpg", "plain name.jpg"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("\x00\x07\x7f", r"\x00\x07\x7f"),
        ("\x85\x9b31m", r"\x85\x9b31m"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("caf\udce9.jpg", r"caf\xe9.jpg"),
        ("\ud800", r"\ud800"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("a\u200bb\ufeff\u00ad", r"a\u200bb\ufeff\u00ad"),
        ("a\u2028b", r"a\u2028b"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u200db", r"a\u200db"),
        ("\u200d", r"\u200d"),
        ("[red]x[/red] %s {0}", "[red]x[/red] %s {0}"),
        (r"back\x1bslash", r"back\x1bslash"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(name: str, shown: str) -> None:
    assert render.escape(name) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Größe é e\u0301 日本語 עברית العربية ไทย",
        "😀.jpg",
        "👩\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥",
        "👩🏽\u200d🚀",
        "no\u00a0break",
        "\ue000 of a private font",
    ],
)
def test_ordinary_names_stay_readable(name: str) -> None:
    assert render.escape(name) == name


@given(st.text(st.characters(exclude_categories=())))
def test_no_control_or_hidden_character_is_ever_left(text: str) -> None:
    left = {unicodedata.category(char) for char in render.escape(text) if char != "\u200d"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(exclude_categories=())))
def test_escaping_twice_is_escaping_once(text: str) -> None:
    once = render.escape(text)
    assert render.escape(once) == once


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (12.3 * 1024**2, "12.3 MiB"),
        (1024**4, "1.0 TiB"),
        (3000 * 1024**5, "3000.0 PiB"),
    ],
)
def test_sizes(size_bytes: float, shown: str) -> None:
    assert render.size(size_bytes) == shown
    assert render.rate(size_bytes) == f"{shown}/s"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1m 00s"),
        (200, "3m 20s"),
        (3599.7, "1h 00m"),
        (3720, "1h 02m"),
        (2 * 86400 + 3 * 3600, "2d 03h"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert render.duration(seconds) == shown


def test_counts() -> None:
    assert render.count(12345) == "12,345"
    assert render.count(1, "file") == "1 file"
    assert render.count(0, "file") == "0 files"


@pytest.mark.parametrize(
    ("away", "shown"),
    [(0.2, "now"), (300, "in 5m 00s"), (-200, "3m 20s ago"), (8 * 86400, "2026-11-29 20:00 UTC")],
)
def test_times(away: float, shown: str) -> None:
    now = 1795291200.0  # 2026-11-21 20:00 UTC
    assert render.when(now + away, now) == shown


# --- tables -------------------------------------------------------------------------------------

COLUMNS = [Column("path"), Column("tries", right=True), Column("error")]


def test_plain_tables_are_aligned_and_escaped() -> None:
    rows = [("[red]a", "3", "reset"), ("日本\x1b", "12", "")]
    assert render.plain_table(COLUMNS, rows) == [
        "path      tries  error",
        "[red]a        3  reset",
        r"日本\x1b     12",
    ]


def test_a_pipe_gets_plain_lines_without_loading_rich() -> None:
    code = (
        "import sys; from bulkup.cli.output.text import Column, print_table\n"
        "print_table([Column('a')], [('b\\udcff',)], sys.stdout, {})\n"
        "assert not any(name.partition('.')[0] == 'rich' for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a\nb\\xff\n"


def test_a_pipe_without_unicode_gets_escapes() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    render.print_table([Column("a")], [("é",)], out, {})
    out.seek(0)
    assert out.read() == "a\n\\xe9\n"


def test_a_terminal_gets_a_table_in_which_markup_is_text() -> None:
    out = Terminal()
    render.print_table(COLUMNS, [("[red]a[/red]:smile:", "3", "\x1b[2J")], out, {"TERM": "xterm"})
    assert "[red]a[/red]:smile:" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert r"\x1b[2J" in out.getvalue()


def test_no_color_takes_the_colours() -> None:
    out = Terminal()
    render.print_table(COLUMNS, [("a", "3", "")], out, {"TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b[3" not in out.getvalue()


def test_only_a_terminal_that_can_draw_is_a_screen() -> None:
    assert render.is_screen(Terminal(), {"TERM": "xterm"})
    assert not render.is_screen(Terminal(), {"TERM": "dumb"})
    assert not render.is_screen(io.StringIO(), {"TERM": "xterm"})
    narrow = Terminal()
    narrow.encoding = "ascii"  # type: ignore[misc]
    assert not render.is_screen(narrow, {"TERM": "xterm"})


# --- summaries ----------------------------------------------------------------------------------

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
