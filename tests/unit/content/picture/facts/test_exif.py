"""EXIF tags as facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Moment, Picture, PictureFacts, Place
from tests.unit.content.picture.made import saved, scene


def facts(
    main: dict[int, Any] | None = None,
    exif: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
    **options: Any,
) -> PictureFacts:
    tags = Image.Exif()
    tags.update(main or {})
    tags.get_ifd(0x8769).update(exif or {})
    tags.get_ifd(0x8825).update(gps or {})
    made = make_variants(saved(scene(64, 40), exif=tags.tobytes(), **options))
    assert isinstance(made, Picture)
    return made.metadata.facts


def test_a_date_with_its_offset_is_a_moment_in_utc() -> None:
    found = facts(exif={0x9003: "2019:07:01 12:30:05", 0x9011: "+02:00", 0x9291: "25"}).taken_at
    assert found is not None
    assert str(found) == "2019-07-01T12:30:05.250000+02:00"
    assert found.utc == datetime(2019, 7, 1, 10, 30, 5, 250000, tzinfo=UTC)


def test_a_date_without_offset_is_local_time_and_says_so() -> None:
    found = facts(exif={0x9003: "2019:07:01 12:30:05"}).taken_at
    assert found is not None
    assert (str(found), found.utc, found.offset_minutes) == ("2019-07-01T12:30:05", None, None)


@pytest.mark.parametrize("nonsense", ["0000:00:00 00:00:00", "2010:02:31 10:00:00", "yesterday"])
def test_a_date_that_is_none_gives_way_to_the_next(nonsense: str) -> None:
    found = facts({0x0132: "2001:02:03 04:05:06"}, {0x9003: nonsense}).taken_at
    assert found == Moment(datetime(2001, 2, 3, 4, 5, 6))  # noqa: DTZ001 - a camera's clock


def test_moments_at_the_ends_of_time_have_no_utc() -> None:
    assert Moment(datetime(1, 1, 1), 60).utc is None  # noqa: DTZ001 - a camera's clock
    assert str(Moment(datetime(1, 1, 1), -90)) == "0001-01-01T00:00:00-01:30"  # noqa: DTZ001 - too


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 7D", "Canon EOS 7D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Apple", "iPhone 7", "Apple iPhone 7"),
        ("SONY\0\0", " DSC-P12 ", "SONY DSC-P12"),
        (None, "X100", "X100"),
        (None, None, None),
    ],
)
def test_the_camera_is_named_once(make: str | None, model: str | None, camera: str | None) -> None:
    tags = {0x010F: make, 0x0110: model}
    assert facts({tag: text for tag, text in tags.items() if text}).camera == camera


def test_exposure_and_lens() -> None:
    found = facts(
        exif={
            0x829D: IFDRational(28, 10),
            0x829A: IFDRational(1, 250),
            0x8827: 400,
            0x920A: IFDRational(0, 0),
            0xA434: "EF 50mm",
        }
    )
    assert found.lens == "EF 50mm"
    shown = found.exposure
    assert (shown.f_number, shown.exposure_seconds, shown.iso) == (2.8, 0.004, 400)
    assert shown.focal_length_mm is None


NORTH_WEST = {1: "N", 2: (51.0, 30.0, 36.0), 3: "W", 4: (0.0, 7.0, 30.0)}


def test_a_position_is_in_degrees_north_and_east() -> None:
    found = facts(gps={**NORTH_WEST, 5: b"\x01", 6: IFDRational(25, 2)}).place
    assert found == Place(51.51, -0.125, -12.5)


@pytest.mark.parametrize(
    "change",
    [
        {2: (IFDRational(1, 0), IFDRational(1, 0), IFDRational(1, 0))},
        {2: (91.0, 0.0, 0.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
        {4: ()},
    ],
    ids=["zero denominators", "outside the globe", "no fix", "empty"],
)
def test_a_position_that_is_none_is_left_out(change: dict[int, Any]) -> None:
    assert facts(gps={**NORTH_WEST, **change}).place is None


def utf_16(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def test_the_tags_of_windows_are_read() -> None:
    found = facts(
        {
            0x9C9B: utf_16("Zanzibar"),
            0x9C9E: utf_16("dhow; sea;dhow"),
            0x4746: 5,
            0x9C9C: utf_16("A"),
        }
    )
    assert (found.title, found.keywords, found.rating) == ("Zanzibar", ("dhow", "sea"), 5)
    assert found.description == "A"


@pytest.mark.parametrize(("percent", "stars"), [(1, 1), (25, 2), (50, 3), (75, 4), (99, 5)])
def test_a_rating_in_percent_becomes_stars(percent: int, stars: int) -> None:
    assert facts({0x4749: percent}).rating == stars


def test_a_description_is_utf_8_and_not_the_camera_makers() -> None:
    cafe = "Caf\u00e9 M\u00fcnchen"
    assert facts({0x010E: cafe.encode()}).description == cafe
    assert facts({0x010E: "OLYMPUS DIGITAL CAMERA         "}).description is None


def test_the_date_of_a_change_is_the_last_resort() -> None:
    tags = {0x0132: "2020:05:06 07:08:09"}
    assert str(facts(tags).taken_at) == "2020-05-06T07:08:09"
    assert str(facts(tags, {0x9004: "1985:07:04 12:00:00"}).taken_at) == "1985-07-04T12:00:00"


@pytest.mark.parametrize("values", [(43.0764, 79.077), ((43.0764,), (79.077,))])
def test_a_position_in_one_number_is_in_degrees(values: tuple[Any, Any]) -> None:
    found = facts(gps={1: "N", 2: values[0], 3: "W", 4: values[1]}).place
    assert found == Place(43.0764, -79.077)


def test_the_time_of_the_position_is_the_date_when_there_is_no_other() -> None:
    satellites = {7: (9.0, 3.0, 4.5), 29: "2019:05:07"}
    assert str(facts(gps=satellites).taken_at) == "2019-05-07T09:03:04+00:00"
    changed = facts({0x0132: "2020:01:02 03:04:05"}, gps=satellites)
    assert str(changed.taken_at) == "2020-01-02T03:04:05"


def test_a_camera_that_is_named_in_the_other_directory_is_found() -> None:
    assert facts({0x010F: "\0"}, {0x010F: "HTC", 0x0110: "One_M8"}).camera == "HTC One_M8"
