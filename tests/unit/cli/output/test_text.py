"""Text for people: safe names, numbers, tables."""

from __future__ import annotations

import io
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output import text as render
from bulkup.cli.output.text import Column


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
