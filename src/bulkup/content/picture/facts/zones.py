"""The offset from UTC at a place, by the map of time zones in tzfpy (the extra `zones`)."""

from __future__ import annotations

from datetime import UTC, datetime

from bulkup.content.picture.types import Place

_AT_SEA = "Etc/"


def offset_minutes_at(place: Place, utc: datetime) -> int | None:
    """The offset at the naive time `utc`; None where it is unknown: on the sea, where ships choose
    their time, for times without a whole minute, and without tzfpy or the system's time zones."""
    try:
        from tzfpy import get_tz
    except ImportError:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    name = get_tz(place.longitude_degrees, place.latitude_degrees)
    if not name or name.startswith(_AT_SEA):
        return None
    try:
        offset = utc.replace(tzinfo=UTC).astimezone(ZoneInfo(name)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        return None
    seconds = 0.0 if offset is None else offset.total_seconds()
    return None if seconds % 60 else int(seconds // 60)  # local mean times of the 19th century
