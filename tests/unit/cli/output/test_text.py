"""Text for people: safe names, numbers, tables."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.cli.output import text as render

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


def test_long_lines_break_between_words_only() -> None:
    path = "/a/long/path/that/is/wider/than/the/line"
    assert render.fold("short", 20) == ["short"]
    assert render.fold("  bulkup: the disk is full", 20) == ["  bulkup: the disk", "    is full"]
    assert path in " ".join(render.fold(f"there is no {path} here", 20)).split()


def test_two_amounts_have_the_unit_of_the_second() -> None:
    assert render.size_of(24.1 * 1024**2, 82.7 * 1024**2) == "24.1/82.7 MiB"
    assert render.size_of(5, 900) == "5/900 B"
    assert render.size_of(1024, 1024**3) == "0.0/1.0 GiB"
