"""Dates in the names of files, as cameras, phones and programs give them. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from bulkup.content.picture.types import Moment, Precision

# IMG_20190317_123456, PXL_20190317_123456789, Screenshot_2019-03-17-12-34-56, IMG-20190317-WA0001,
# "WhatsApp Image 2019-03-17 at 12.34.56", "2019-03-17 12.34.56", signal-2019-03-17-123456,
# "Screenshot 2019-03-17 at 9.34.56 PM", "Bildschirmfoto 2019-03-17 um 12.34.56", DSC_20190317123456
_DATED: Final = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)"
    r"(?:(?:[-_ T.]|,? (?:[^\W\d]{1,5}\.? ){1,2}|(?<=[a-zA-Z_]\d{8})(?=\d{6}))"
    r"(\d\d|\d(?=[.:]))([-_.:]?)(\d\d)\6(\d\d)(?:\d{3})?(?!\d)(?:\s?([AP])\.?M\b)?)?(?!\d)",
    re.IGNORECASE,
).search
_FIRST_YEAR: Final = 1980


def date_in_name(name: str) -> Moment | None:
    """The date in a file's name, by the clock of whoever gave it; None when there is none."""
    match = _DATED(name)
    if match is None:
        return None
    year, _, month, day, hour, _, minute, second, half = match.groups()
    if half is not None:
        hour = str(int(hour) % 12 + (12 if half in "pP" else 0))
    precision = Precision.DAY if hour is None else Precision.SECOND
    date, time = (int(year), int(month), int(day)), (int(hour or 0), int(minute or 0))
    try:
        local = datetime(*date, *time, int(second or 0))  # noqa: DTZ001 - its zone is unknown
    except ValueError:
        return None
    return Moment(local, None, precision) if local.year >= _FIRST_YEAR else None
