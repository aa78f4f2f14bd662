"""How text becomes sizes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.settings.parsing import ENGINE, parse_size


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
    "text",
    ["local", "dask://", "dask://host-a:8786", "dask://10.0.0.7:1/", "dask://[fe80::1]:65535"],
)
def test_engines_are_this_machine_or_a_scheduler(text: str) -> None:
    assert ENGINE.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("dask", "dask:/", "dask://host", "dask://host:", "dask://:8786", "ray://host:1"),
        *("dask://host:0", "dask://host:65536", "dask://host:x", "dask://host:+1", "dask://-h:1"),
        *("dask://user:word@host:1", "dask://::1:1", "dask://host\n:1", "dask://a:1,dask://b:1"),
        *("dask://host:\uff11", "dask://host:1/path", "DASK://host:1", "local "),
    ],
)
def test_what_is_no_engine_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ENGINE.parse(text)
