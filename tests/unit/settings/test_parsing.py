"""How text becomes sizes and durations."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.settings import parse_duration, parse_size


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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("0s", 0),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172800),
        ("1d1h1m1s", 90061),
        ("10M", 600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "-1", "1h30", "30m1h", "1 h", "5x", "1mm", "inf", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.integers(0, 10**30), st.sampled_from(["", "K", "M", "G", "T"]))
def test_whole_sizes_are_exact_however_large(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * 1024 ** ["", "K", "M", "G", "T"].index(unit)


@given(st.integers(0, 999), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_the_units_of_a_duration_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    together = parse_duration(f"{days}d{hours}h{minutes}m{seconds}s")
    assert together == days * 86400 + hours * 3600 + minutes * 60 + seconds


@given(st.text())
def test_any_text_is_either_a_size_or_a_value_error(text: str) -> None:
    for parse in (parse_size, parse_duration):
        with suppress(ValueError):
            assert parse(text) >= 0
