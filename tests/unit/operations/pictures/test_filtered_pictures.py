"""Conditions of a search over many pictures at once are those of each alone."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.content.picture.facts.moments import moment_of
from bulkup.manifest.reports.search import PictureRow
from bulkup.model import Digest
from bulkup.operations.pictures.kept_pictures import MatrixPictures
from bulkup.search.filters import Circle, Filters

YEARS = st.sampled_from([None, "2015-01-01", "2019-05-17T10:00:00", "2024-01-01"]).map(
    lambda text: None if text is None else datetime.fromisoformat(text)
)
FILTERS = st.builds(
    Filters,
    path=st.sampled_from([None, lambda path: "a" in path]),
    after=YEARS,
    before=YEARS,
    camera=st.sampled_from([None, "canon"]),
    near=st.sampled_from([None, Circle(47, 8, 100)]),
)
PICTURES = st.builds(
    PictureRow,
    content_id=st.integers(1, 9),
    digest=st.just(Digest("0" * 64)),
    size_bytes=st.just(1),
    files=st.lists(
        st.tuples(st.just("/root"), st.sampled_from(["a.jpg", "b.jpg", "a/IMG-20160101-WA1.jpg"])),
        min_size=1,
        max_size=3,
        unique=True,
    ).map(tuple),
    first_asset_id=st.just(1),
    width_px=st.none(),
    height_px=st.none(),
    taken_at=st.sampled_from([None, "2015", "2019-05-17T10:00:00", "2030-01-01", "nonsense"]),
    camera=st.sampled_from([None, "Canon EOS 5D", "Nikon"]),
    lens=st.none(),
    latitude=st.sampled_from([None, 47.1, 0.0]),
    longitude=st.sampled_from([None, 8.1]),
    perceptual_hash=st.none(),
    words=st.none(),
)


def allowed(picture: PictureRow | None, filters: Filters) -> tuple[tuple[str, str], ...] | None:
    """The files that pass; None where none does."""
    if picture is None or not filters.allow_camera(picture.camera):
        return None
    place = (picture.latitude, picture.longitude)
    known = None if None in place else place
    if not filters.allow_place(known):  # type: ignore[arg-type]  # both are numbers
        return None
    moment = moment_of(picture.taken_at)
    taken_at = None if moment is None else moment.local
    files = tuple(one for one in picture.files if filters.allow("/".join(one), taken_at))
    return files or None


@settings(max_examples=50)
@given(st.lists(st.none() | PICTURES, max_size=6), FILTERS)
def test_pictures_together_are_filtered_as_each_alone(
    pictures: list[PictureRow | None], filters: Filters
) -> None:
    found = MatrixPictures(pictures).filtered(filters)
    files = [None if row is None else row.files for row in found.rows]
    assert files == [allowed(picture, filters) for picture in pictures]
    assert found.texts.is_here.tolist() == [row is not None for row in found.rows]
