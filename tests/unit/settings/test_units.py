"""Sizes, durations, ages and dates: one parser, one meaning for each unit."""

# ruff: noqa: DTZ001 - naive dates are local time

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import UsageError
from bulkup.settings.load import load
from bulkup.settings.units import (
    local_time,
    moment_option,
    parse_age_or_date,
    parse_duration,
    parse_size,
    timestamp,
)

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("1024", 1024),
        ("7B", 7),
        ("64MiB", 64 * 1024**2),
        ("10M", 10 * 1024**2),
        ("10m", 10 * 1024**2),
        ("10MB", 10_000_000),
        ("500kB", 500_000),
        ("1.5G", 3 * 1024**3 // 2),
        ("2 TiB", 2 * 1024**4),
        (" 3K ", 3072),
    ],
)
def test_sizes_are_binary_unless_they_end_in_a_decimal_unit(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "M", "-1", "1,5M", "1e3", "10 Mi", "10MiBs", "ten", "1.M"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


@given(st.integers(0, 10**30), st.sampled_from(["", "K", "M", "G", "T"]))
def test_whole_sizes_are_exact_however_large(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * 1024 ** ["", "K", "M", "G", "T"].index(unit)


@given(st.text())
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_size(text) >= 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("0s", 0),
        ("250ms", 0.25),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 2 * DAY),
        ("2w", 14 * DAY),
        ("1M", 30 * DAY),
        ("1y", 365 * DAY),
        ("1d1h1m1s", 90_061),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "1h30", "1 h", "5x", "1mm", "1H", "1D", "inf", "nan", "٣d", "2026-01"],
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize("unit", ["ms", "s", "m", "h", "d", "w", "M", "y"])
def test_a_unit_means_the_same_in_every_option(tmp_path: Path, unit: str) -> None:
    """`1M` was a minute in --max-duration and a month in --newer-than."""
    text = f"3{unit}"
    settings = load({"max_duration": text, "newer_than": text}, {}, tmp_path, tmp_path)
    age = settings.upload.newer_than
    assert isinstance(age, timedelta)
    assert settings.run.max_duration_seconds == age.total_seconds() == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", datetime(2024, 1, 1)),
        ("2024-05", datetime(2024, 5, 1)),
        ("2024-05-03", datetime(2024, 5, 3)),
        ("2024-5-3", datetime(2024, 5, 3)),
        ("2024-05-03 14:30", datetime(2024, 5, 3, 14, 30)),
        ("2024-05-03T14:30:15", datetime(2024, 5, 3, 14, 30, 15)),
        ("2024-05-03T14:30:15Z", datetime(2024, 5, 3, 14, 30, 15, tzinfo=UTC)),
        ("30d", timedelta(days=30)),
        ("1d12h", timedelta(days=1.5)),
        ("10m", timedelta(minutes=10)),
        ("1M", timedelta(days=30)),
    ],
)
def test_an_age_or_the_start_of_a_date(text: str, expected: datetime | timedelta) -> None:
    assert parse_age_or_date(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-13", "2024-00", "2024-02-30", "24", "30", "d", "30 d", "-3d", "3dx",
     "9999y", "9999999999y", "٢٠٢٤"],
)  # fmt: skip
def test_what_is_neither_is_refused_with_the_name_of_the_option(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--before: .* is neither an age nor a date"):
        moment_option(text, option="--before")


def test_a_date_is_local_unless_it_names_an_offset() -> None:
    local = datetime(2026, 1, 31)
    assert timestamp(parse_age_or_date("2026-01-31"), now=0) == local.timestamp()
    assert timestamp(parse_age_or_date("1970-01-01T02:00+02:00"), now=9) == 0


def test_an_age_counts_from_now() -> None:
    assert timestamp(timedelta(hours=1), now=10_000) == 6_400
    assert local_time(timedelta(days=1), now=datetime(2026, 1, 2)) == datetime(2026, 1, 1)


def test_a_camera_clock_gets_local_time_without_a_zone() -> None:
    aware = datetime(2026, 1, 2, tzinfo=UTC)
    found = local_time(aware, now=datetime(2026, 1, 2))
    assert found.tzinfo is None
    assert found.timestamp() == aware.timestamp()


@given(st.integers(0, 999), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_the_units_of_a_duration_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    together = parse_duration(f"{days}d{hours}h{minutes}m{seconds}s")
    assert together == days * DAY + hours * 3600 + minutes * 60 + seconds


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) >= 0
    with suppress(ValueError):
        parse_age_or_date(text)
