"""Which pictures a search may show: by path, date, camera and place. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bulkup.errors import UsageError

_YEAR: Final = r"(?<!\d)((?:18|19|20|21)\d\d)"
_DAY_IN_PATH: Final = re.compile(_YEAR + r"([-_/.]?)(\d\d)\2(\d\d)(?!\d)")
_MONTH_IN_PATH: Final = re.compile(_YEAR + r"([-_/.])(\d\d)(?!\d)")
_EARTH_KM: Final = 6371.0088  # mean radius, IUGG


@dataclass(frozen=True, slots=True)
class Circle:
    """All places within `radius_km` of one, on the sphere."""

    latitude_degrees: float
    longitude_degrees: float
    radius_km: float

    def holds(self, latitude_degrees: float, longitude_degrees: float) -> bool:
        here = (self.latitude_degrees, self.longitude_degrees)
        return distance_km(here, (latitude_degrees, longitude_degrees)) <= self.radius_km


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions of a search; None sets none. A picture without the fact in question is out.

    `after` (inclusive) and `before` (exclusive) are compared with the camera's clock. `camera` is a
    part of its name, upper and lower case being equal.
    """

    path: Callable[[str], bool] | None = None
    after: datetime | None = None
    before: datetime | None = None
    camera: str | None = None
    near: Circle | None = None

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        conditions = (self.path, self.after, self.before, self.camera, self.near)
        return any(condition is not None for condition in conditions)

    def allow(self, path: str, taken_at: datetime | None = None) -> bool:
        """Whether a file may be shown, if its picture may. `taken_at` is by the camera's clock;
        without it the date of the path counts."""
        return (self.path is None or self.path(path)) and self._allow_time(taken_at, path)

    def _allow_time(self, taken_at: datetime | None, path: str) -> bool:
        if self.after is None and self.before is None:
            return True
        taken_at = taken_at or date_in_path(path)
        if taken_at is None:
            return False
        local = taken_at.replace(tzinfo=None)
        return (self.after is None or local >= self.after) and (
            self.before is None or local < self.before
        )

    def allow_camera(self, camera: str | None) -> bool:
        """Whether a picture by this camera may be shown."""
        if self.camera is None:
            return True
        return camera is not None and self.camera.casefold() in camera.casefold()

    def allow_place(self, place_degrees: tuple[float, float] | None) -> bool:
        """Whether a picture from here, degrees north and east, may be shown."""
        if self.near is None:
            return True
        return place_degrees is not None and self.near.holds(*place_degrees)


def date_in_path(path: str) -> datetime | None:
    """The day or month that a path names, as `IMG-20231105-WA0001` or `2023/11`; the last one.

    It stands in for the date of pictures that have none. Other numbers, a year alone among them,
    are as often a camera's.
    """
    for pattern in (_DAY_IN_PATH, _MONTH_IN_PATH):
        for found in reversed(list(pattern.finditer(path))):
            try:
                year, _, month, *day = found.groups()
                return datetime(int(year), int(month), int(day[0]) if day else 1)  # noqa: DTZ001 - a camera's clock has no zone
            except ValueError:  # 2023-02-31
                continue
    return None


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two places, degrees north and east: the haversine formula, right at poles too."""
    north_1, east_1, north_2, east_2 = (math.radians(value) for value in (*one, *other))
    half = (
        math.sin((north_2 - north_1) / 2) ** 2
        + math.cos(north_1) * math.cos(north_2) * math.sin((east_2 - east_1) / 2) ** 2
    )
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def parse_near(text: str) -> Circle:
    """`LAT,LON,KM` in degrees north and east, as in `51.5,-0.12,5`. Raises UsageError."""
    try:
        latitude, longitude, radius = (float(part) for part in text.split(","))
    except ValueError:
        latitude = longitude = radius = math.nan
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and 0 < radius < math.inf):
        raise UsageError(
            f"--near {text!r} is no place",
            hint="Write degrees north, degrees east and kilometres: --near 51.5,-0.12,5",
        )
    return Circle(latitude, longitude, radius)
