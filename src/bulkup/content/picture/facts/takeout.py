"""What Google Takeout and a file's name add to what a picture says of itself. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bulkup.content.picture.facts.names import date_in_name
from bulkup.content.picture.facts.zones import offset_minutes_at
from bulkup.content.picture.types import Moment, PictureFacts, Place, Precision
from bulkup.content.takeout.notes import PictureNote

_FAVOURITE_RATING: Final = 5
_ZONE_MINUTES: Final = 15
_MOST_OFFSET_MINUTES: Final = 14 * 60


def completed(
    name: str, own: PictureFacts, corrected: PictureFacts | None, note: PictureNote | None
) -> PictureFacts | None:
    """The facts of a file called `name`: what it says itself, or as its sidecars correct it, and
    what it does not say from its note, else from its name. None when nothing is added to `own`."""
    facts = own if corrected is None else corrected
    if note is not None:
        facts = _with_note(facts, note)
    if facts.taken_at is None and (named := date_in_name(name)) is not None:
        facts = replace(facts, original=named, taken_from="name")
    return facts if corrected is not None or facts != own else None


def _with_note(facts: PictureFacts, note: PictureNote) -> PictureFacts:
    taken = facts.original or facts.digitised
    said = None if note.taken_at is None else _moment(note.taken_at)
    if taken is None and said is not None:
        facts = replace(facts, original=said, taken_from="takeout")
    elif taken is not None and said is not None and taken is facts.original:
        facts = replace(facts, original=_with_offset(taken, said))
    if facts.place is None and note.latitude is not None and note.longitude is not None:
        place = Place(note.latitude, note.longitude, note.altitude_metres)
        facts = replace(facts, place=place)
    if facts.taken_from == "takeout" and said is not None and facts.original == said:
        facts = replace(facts, original=_at_place(said, facts.place))
    if facts.description is None:
        facts = replace(facts, description=note.description)
    if facts.rating is None and note.is_favourite:
        facts = replace(facts, rating=_FAVOURITE_RATING)
    people = tuple(one for one in note.people if one not in facts.keywords)
    return replace(facts, keywords=facts.keywords + people)


def _moment(seconds: float) -> Moment | None:
    """The note's moment: it is in UTC."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return Moment(moment.replace(tzinfo=None), 0)


def _at_place(said: Moment, place: Place | None) -> Moment:
    """The moment by the clocks at the place, if it and its zone are known; else in UTC."""
    minutes = None if place is None else offset_minutes_at(place, said.local)
    if minutes is None:
        return said
    return replace(said, local=said.local + timedelta(minutes=minutes), offset_minutes=minutes)


def _with_offset(taken: Moment, said: Moment) -> Moment:
    """The picture's own moment, with the zone that lies between its clock and UTC.

    Not where both are the same: Google takes a clock without a zone for UTC.
    """
    if taken.offset_minutes is not None or taken.precision is not Precision.SECOND:
        return taken
    seconds = (taken.local - said.local).total_seconds()
    minutes = round(seconds / 60 / _ZONE_MINUTES) * _ZONE_MINUTES
    is_zone = abs(seconds - minutes * 60) < 2 and 0 < abs(minutes) <= _MOST_OFFSET_MINUTES
    return replace(taken, offset_minutes=minutes) if is_zone else taken
