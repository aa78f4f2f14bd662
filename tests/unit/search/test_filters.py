"""Filters: dates, cameras, places."""

# ruff: noqa: DTZ001 - a camera's clock has no zone

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.errors import UsageError
from bulkup.search.filters import Circle, Filters, distance_km, parse_near

PATH = "a.jpg"


def test_after_takes_its_first_moment_and_before_does_not() -> None:
    moment = datetime(2024, 5, 3)
    assert Filters(after=moment).allow(PATH, taken_at=moment)
    assert not Filters(before=moment).allow(PATH, taken_at=moment)
    assert Filters(before=moment + timedelta(seconds=1)).allow(PATH, taken_at=moment)
    assert not Filters(after=moment + timedelta(seconds=1)).allow(PATH, taken_at=moment)


def test_the_clock_of_the_camera_counts_whatever_its_zone() -> None:
    taken_at = datetime(2024, 5, 3, tzinfo=UTC)
    assert Filters(after=datetime(2024, 5, 3)).allow(PATH, taken_at=taken_at)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(after=datetime(1970, 1, 1)),
        Filters(before=datetime(2100, 1, 1)),
        Filters(camera="canon"),
        Filters(near=Circle(0, 0, 30_000)),
    ],
)
def test_a_picture_without_the_fact_is_out(filters: Filters) -> None:
    assert filters
    assert not (filters.allow(PATH) and filters.allow_camera(None) and filters.allow_place(None))


@pytest.mark.parametrize(
    "path",
    [
        "IMG-20231105-WA0001.jpg",
        "WhatsApp Image 2023-11-05 at 14.22.33.jpeg",
        "2023/11/a.jpg",
        "2019/02/IMG_20231105_101500.jpg",
    ],
)
def test_a_picture_without_a_date_has_that_of_its_path(path: str) -> None:
    november = Filters(after=datetime(2023, 11, 1), before=datetime(2023, 12, 1))
    assert november.allow(path)
    assert not november.allow(path, taken_at=datetime(2020, 1, 1))


@pytest.mark.parametrize(
    "path", ["IMG_2023.jpg", "20231345.jpg", "120231105.jpg", "2023-13-31.jpg"]
)
def test_other_numbers_in_a_path_are_no_dates(path: str) -> None:
    assert not Filters(after=datetime(1970, 1, 1)).allow(path)


def test_no_filter_allows_everything() -> None:
    assert not Filters()
    assert Filters().allow(PATH)


def test_a_camera_is_found_by_a_part_of_its_name_in_any_case() -> None:
    camera = "Canon PowerShot S40"
    assert Filters(camera="powershot").allow_camera(camera)
    assert not Filters(camera="Nikon").allow_camera(camera)


def test_the_path_is_asked() -> None:
    filters = Filters(path=lambda path: path.endswith("b.jpg"))
    assert [filters.allow(path) for path in ("a.jpg", "b.jpg")] == [False, True]


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((51.4778, -0.0015), (48.8584, 2.2945), 334),  # Greenwich to Paris
        ((0, 179.9), (0, -179.9), 22.2),  # across the date line
        ((89.9, 0), (89.9, 180), 22.2),  # across the pole
        ((90, 0), (90, 123), 0),  # the pole has every longitude
        ((0, 0), (0, 180), 20015),
    ],
)
def test_distances_on_the_sphere(one, other, km: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, rel=0.005, abs=1e-6)


degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(degrees, degrees)
def test_a_distance_is_the_same_both_ways_and_never_over_half_the_earth(one, other) -> None:
    there = distance_km(one, other)
    assert there == pytest.approx(distance_km(other, one), abs=1e-6)
    assert 0 <= there <= 20016


def test_near_holds_what_lies_within_its_radius() -> None:
    near = parse_near("0, 179.9, 30")
    assert Filters(near=near).allow_place((0, -179.9))
    assert not Filters(near=near).allow_place((0, 0))


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,3,4", "91,0,1", "0,181,1", "0,0,0", "0,0,-1", "nan,0,1", "0,0,inf"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--near"):
        parse_near(text)
