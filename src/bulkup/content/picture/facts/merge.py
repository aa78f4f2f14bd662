"""One answer for each fact, out of all that the blocks of a picture and its sidecar say.

The order is that of the Metadata Working Group (Guidelines for Handling Image Metadata 2.0): when
a picture was taken before when it was digitised before when it was changed; for each of these
EXIF, IPTC, XMP, then what the container says. What persons write (titles, keywords, ratings) is
newest in XMP, then in IPTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from bulkup.content.picture.types import Exposure, Moment, PictureFacts, Place, Precision

_SAME_PLACE_DEGREES: Final = 1e-4  # about 10 m: coordinates are rounded differently
_FIRST: Final = ("camera", "lens", "live_id", "burst_id", "motion_bytes")
_FIRST_OF_WORDS: Final = ("title", "description", "rating")
_MOMENTS: Final = ("original", "digitised", "modified")


def merged(
    sources: Sequence[PictureFacts], words: Sequence[PictureFacts] | None = None
) -> PictureFacts:
    """For each fact what the first source says that says anything.

    The title, description, keywords and rating are taken in the order of `words`, by default
    `sources`. Moments and places are completed by other sources that name the same ones more
    exactly.
    """
    words = sources if words is None else words
    moments = [
        moment
        for source in sources
        for moment in (source.original, source.digitised, source.modified)
        if moment is not None
    ]
    places = [source.place for source in sources if source.place is not None]

    def first(name: str, among: Sequence[PictureFacts]) -> Any:
        found = (getattr(source, name) for source in among)
        return next((value for value in found if value not in (None, ())), None)

    found: dict[str, Any] = {name: first(name, sources) for name in _FIRST}
    found |= {name: first(name, words) for name in _FIRST_OF_WORDS}
    for name in _MOMENTS:
        moment = first(name, sources)
        found[name] = None if moment is None else _completed(moment, moments)
    return PictureFacts(
        **found,
        keywords=first("keywords", words) or (),
        tags=first("tags", words) or (),
        place=_completed_place(places),
        exposure=_exposure(sources),
        taken_from=_taken_from(sources),
    )


def with_sidecars(own: PictureFacts, sidecars: Sequence[PictureFacts]) -> PictureFacts:
    """The picture's facts, corrected by its sidecars, the most specific first.

    A sidecar's date of change says nothing about the picture.
    """
    return merged((*(replace(one, modified=None) for one in sidecars), own))


def _taken_from(sources: Sequence[PictureFacts]) -> str | None:
    """Where the moment comes from that says when the picture was taken."""
    for name in _MOMENTS:
        for source in sources:
            if getattr(source, name) is not None:
                return source.taken_from
    return None


def _completed(moment: Moment, others: Sequence[Moment]) -> Moment:
    for other in others:
        moment = _refined(moment, other)
    return moment


def _refined(moment: Moment, other: Moment) -> Moment:
    """`moment` with what `other` adds to it, if both are the same moment."""
    if None not in (moment.utc, other.utc) and moment.offset_minutes != other.offset_minutes:
        # One clock shown in two zones: the later source is the picture itself. But UTC is what
        # programs and containers convert to; any other zone is the camera's.
        is_same = _cut(moment.utc, Precision.SECOND) == _cut(other.utc, Precision.SECOND)
        return other if is_same and other.offset_minutes else moment
    precise, rough = (other, moment) if other.precision > moment.precision else (moment, other)
    if _cut(precise.local, rough.precision) != _cut(rough.local, rough.precision):
        return moment
    local = precise.local
    if rough.precision is precise.precision is Precision.SECOND:
        if moment.local.microsecond and other.local.microsecond:
            if moment.local != other.local:
                return moment
        else:
            local = max(moment.local, other.local)
    elif rough is other:
        return moment
    offset = moment.offset_minutes if moment.offset_minutes is not None else other.offset_minutes
    return Moment(local, offset, precise.precision)


def _cut(local: datetime | None, precision: Precision) -> datetime | None:
    """`local` without what is finer than `precision`."""
    if local is None:
        return None
    first = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    kept = {Precision.YEAR: 0, Precision.MONTH: 1, Precision.DAY: 2, Precision.MINUTE: 4,
            Precision.SECOND: 5}[precision]  # fmt: skip
    return local.replace(**dict(list(first.items())[kept:]))  # type: ignore[arg-type]  # no tzinfo


def _completed_place(places: Sequence[Place]) -> Place | None:
    if not places:
        return None
    place = places[0]
    for other in places[1:]:
        if place.altitude_metres is None and _is_near(place, other):
            place = replace(place, altitude_metres=other.altitude_metres)
    return place


def _is_near(one: Place, other: Place) -> bool:
    return (
        abs(one.latitude_degrees - other.latitude_degrees) < _SAME_PLACE_DEGREES
        and abs(one.longitude_degrees - other.longitude_degrees) < _SAME_PLACE_DEGREES
    )


def _exposure(sources: Sequence[PictureFacts]) -> Exposure:
    found: dict[str, Any] = {}
    for source in sources:
        for field in fields(Exposure):
            value = getattr(source.exposure, field.name)
            if value is not None:
                found.setdefault(field.name, value)
    return Exposure(**found)
