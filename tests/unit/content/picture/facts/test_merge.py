"""One answer for each fact."""

from __future__ import annotations

import pytest

from bulkup.content.picture.facts.merge import merged, with_sidecars
from bulkup.content.picture.facts.moments import moment_of
from bulkup.content.picture.types import PictureFacts, Place

OWN = PictureFacts(
    original=moment_of("2021:06:01 10:00:00", "+02:00", "25"), place=Place(48.85833, 2.35, 35.0)
)


@pytest.mark.parametrize(
    "sidecar",
    [
        PictureFacts(original=moment_of("2021-06-01T10:00:00")),
        PictureFacts(original=moment_of("2021-06-01T10:00:00.25")),
        PictureFacts(original=moment_of("2021-06-01T10:00")),
        PictureFacts(original=moment_of("2021-06-01")),
        PictureFacts(original=moment_of("2021-06-01T08:00:00Z")),
        PictureFacts(digitised=moment_of("2021-06-01T10:00:00")),
        PictureFacts(digitised=moment_of("2024-01-02T03:04:05+00:00")),
        PictureFacts(modified=moment_of("2024-01-02T03:04:05+00:00")),
        PictureFacts(rating=3),
    ],
)
def test_a_sidecar_wipes_nothing(sidecar: PictureFacts) -> None:
    assert str(with_sidecars(OWN, [sidecar]).taken_at) == "2021-06-01T10:00:00.250000+02:00"


def test_a_sidecar_corrects_the_camera() -> None:
    sidecar = PictureFacts(original=moment_of("1988"), place=Place(1.0, 2.0))
    found = with_sidecars(OWN, [sidecar])
    assert (str(found.taken_at), found.place) == ("1988", Place(1.0, 2.0))


def test_a_sidecar_that_was_made_today_dates_nothing() -> None:
    today = PictureFacts(modified=moment_of("2024-01-02"))
    assert with_sidecars(PictureFacts(), [today]).taken_at is None


def test_the_same_place_keeps_its_altitude() -> None:
    found = with_sidecars(OWN, [PictureFacts(place=Place(48.8583333, 2.35))])
    assert found.place == Place(48.8583333, 2.35, 35.0)


def test_when_it_was_taken_comes_before_when_it_was_changed_in_whichever_block() -> None:
    exif = PictureFacts(modified=moment_of("2020:05:06 07:08:09"))
    xmp = PictureFacts(digitised=moment_of("1985-07-04T12:00:00"))
    assert str(merged((exif, PictureFacts(), xmp)).taken_at) == "1985-07-04T12:00:00"
    iptc = PictureFacts(original=moment_of("1984-07-04"))
    assert str(merged((exif, iptc, xmp)).taken_at) == "1984-07-04"


def test_a_moment_is_completed_by_another_block() -> None:
    exif = PictureFacts(original=moment_of("2024:02:03 10:11:12"))
    xmp = PictureFacts(digitised=moment_of("2024-02-03T10:11:12.526+02:00"))
    assert str(merged((exif, xmp)).taken_at) == "2024-02-03T10:11:12.526000+02:00"


def test_the_zone_of_the_camera_is_kept_beside_the_same_moment_in_utc() -> None:
    facts = PictureFacts(
        original=moment_of("2019-07-24T11:25:57+0300"),
        digitised=moment_of("2019-07-24T08:25:57Z"),
    )
    assert str(merged((facts,)).taken_at) == "2019-07-24T11:25:57+03:00"
    exact_sidecar = PictureFacts(original=moment_of("2021-06-01T08:00:00.25Z"))
    assert str(with_sidecars(OWN, [exact_sidecar]).taken_at) == "2021-06-01T10:00:00.250000+02:00"


def test_words_are_taken_in_an_order_of_their_own() -> None:
    exif, xmp = PictureFacts(title="old", keywords=("a",)), PictureFacts(title="new")
    found = merged((exif, xmp), words=(xmp, exif))
    assert (found.title, found.keywords) == ("new", ("a",))
