"""What one JSON file of a Takeout says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

NOTE_BYTES: Final = 1 << 20
"""Larger files are none of these: most have 1 kB, those with many people 10 kB."""


_FEW: Final = frozenset({"title", "description", "location", "geoData", "enrichments"})
"""All that the JSON of an album has where neither date nor access is in it."""


@dataclass(frozen=True, slots=True)
class PictureNote:
    """Of one picture. `taken_at` is in seconds since 1970, UTC."""

    title: str  # the name of the file when it was uploaded; '' where it is not said
    taken_at: float | None = None
    latitude: float | None = None  # degrees north and east, WGS 84
    longitude: float | None = None
    altitude_metres: float | None = None
    description: str | None = None
    people: tuple[str, ...] = ()
    is_favourite: bool = False


@dataclass(frozen=True, slots=True)
class AlbumNote:
    """Of one folder: the album's name."""

    title: str


def read_note(body: bytes) -> PictureNote | AlbumNote | None:
    """The note; None for any other JSON, and for what is no JSON."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    album = found.get("albumData")
    title = found.get("title", album.get("title") if isinstance(album, dict) else None)
    is_picture = isinstance(found.get("photoTakenTime"), dict)
    if not isinstance(title, str):
        if not (is_picture and title is None):
            return None
        title = ""
    from html import unescape  # its 2,231 names take a millisecond

    title = unescape(title)
    if not is_picture:
        return AlbumNote(title) if _is_album(found) and title.strip() else None
    latitude, longitude, altitude = _place(found)
    return PictureNote(
        title=title,
        taken_at=_seconds(found["photoTakenTime"]),
        latitude=latitude,
        longitude=longitude,
        altitude_metres=altitude,
        description=_text(found.get("description")),
        people=_people(found.get("people")),
        is_favourite=found.get("favorited") is True,
    )


def _is_album(found: dict[str, Any]) -> bool:
    """Not a note of Keep, a task, or what else has a title in the other folders of a Takeout."""
    if isinstance(found.get("albumData"), dict) or "access" in found:
        return True
    is_dated = isinstance(found.get("date"), dict) and "url" not in found
    return is_dated or found.keys() <= _FEW


def _seconds(moment: dict[str, Any]) -> float | None:
    """Takeout writes the timestamp as text. 0 stands for a date that nobody knows."""
    try:
        seconds = float(moment.get("timestamp", ""))
    except (TypeError, ValueError):
        return None
    return seconds if seconds != 0 and abs(seconds) < 1e11 else None


def _place(found: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """What the user or Google said, else what EXIF said; 0, 0 stands for nowhere."""
    for name in ("geoData", "geoDataExif"):
        data = found.get(name)
        if not isinstance(data, dict):
            continue
        latitude, longitude = _number(data, "latitude"), _number(data, "longitude")
        if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
            continue
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            return latitude, longitude, _number(data, "altitude") or None
    return None, None, None


def _number(data: dict[str, Any], name: str) -> float | None:
    value = data.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e6:
        return None
    return float(value)


def _text(value: object) -> str | None:
    from html import unescape

    return (unescape(value).strip() or None) if isinstance(value, str) else None


def _people(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    names = (_text(one.get("name")) for one in value if isinstance(one, dict))
    return tuple(dict.fromkeys(name for name in names if name is not None))
