"""The offset from UTC at a place."""

from __future__ import annotations

from datetime import datetime

import pytest

from bulkup.content.picture.facts.takeout import completed
from bulkup.content.picture.facts.zones import offset_minutes_at
from bulkup.content.picture.types import PictureFacts, Place
from bulkup.content.takeout.notes import PictureNote

pytest.importorskip("tzfpy")

SUMMER, WINTER = datetime(2019, 7, 1, 12), datetime(2019, 1, 1, 12)  # noqa: DTZ001 - UTC
MUNICH, NEPAL, ATLANTIC = Place(48.1, 11.5), Place(27.7, 85.3), Place(30.0, -40.0)


def test_the_offset_follows_place_and_season() -> None:
    assert offset_minutes_at(MUNICH, SUMMER) == 120
    assert offset_minutes_at(MUNICH, WINTER) == 60
    assert offset_minutes_at(NEPAL, WINTER) == 345


def test_at_sea_and_before_zones_the_offset_is_unknown() -> None:
    assert offset_minutes_at(ATLANTIC, SUMMER) is None
    assert offset_minutes_at(MUNICH, datetime(1850, 1, 1)) is None  # noqa: DTZ001


@pytest.mark.parametrize(
    ("latitude", "taken_at"),
    [(48.1, "2019-07-01T14:00:00+02:00"), (None, "2019-07-01T12:00:00+00:00")],
)
def test_a_note_is_shown_by_the_clocks_of_its_place(latitude: float | None, taken_at: str) -> None:
    note = PictureNote(
        title="a.jpg",
        taken_at=1_561_982_400.0,
        latitude=latitude,
        longitude=None if latitude is None else 11.5,
        altitude_metres=None,
        description=None,
        people=(),
        is_favourite=False,
    )
    facts = completed("a.jpg", PictureFacts(), None, note)
    assert facts is not None
    assert str(facts.taken_at) == taken_at
