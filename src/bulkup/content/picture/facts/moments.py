"""Dates and times as EXIF, IPTC, XMP, PNG and video containers write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from bulkup.content.picture.types import Moment, Precision

_DATE: Final = re.compile(
    r"(\d{4})(?:[:\-/.](\d\d)(?:[:\-/.](\d\d)"
    r"(?:[ T:]+(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?)?)?"
)
_BASIC_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?!\d)")  # ISO 8601's basic format
_MOST_SECONDS: Final = 59
_PRECISIONS: Final = (Precision.YEAR, Precision.MONTH, Precision.DAY, Precision.DAY,
                      Precision.MINUTE, Precision.SECOND)  # fmt: skip
_OFFSET: Final = re.compile(r"(?:GMT|UTC)?\s*([+-])(\d\d?)(?::?(\d\d))?(?!\d)|(Z|GMT|UTC)\b")
_MOST_OFFSET_MINUTES: Final = 14 * 60  # Line Islands, UTC+14; nothing on land is further


def moment_of(
    date: str | None, offset: str | None = None, fraction: str | None = None
) -> Moment | None:
    """The moment of `date`, in the spelling of EXIF or of ISO 8601; None when it is none.

    `date` may end with a day, a month or a year, and may contain a fraction of a second and an
    offset. `offset` ("+02:00") and `fraction` (digits) are those that are given beside it.
    """
    text = _BASIC_DATE.sub(r"\1-\2-\3", (date or "").strip(), count=1)
    found = _DATE.match(text)
    if found is None:
        return None
    parts = [int(part) for part in found.groups()[:6] if part is not None]
    if parts[5:] and parts[5] > _MOST_SECONDS:  # programs' mistakes; the minute is right
        parts = parts[:5]
    rest = text[found.end() :].strip()
    if len(parts) < 5 and rest:  # "2010 in Rome" is no date
        return None
    if len(parts) < 4 or parts[1:3] == [0, 0] or parts[2:3] == [0]:
        parts = _known(parts[:3])
    try:
        local = datetime(*[*parts, 1, 1][: max(3, len(parts))])  # type: ignore[arg-type]  # noqa: DTZ001 - a camera's clock has no zone
    except ValueError:  # 0000:00:00, 2010:02:31
        return None
    precision = _PRECISIONS[len(parts) - 1]
    if precision < Precision.MINUTE:
        return Moment(local, None, precision)
    digits = (found[7] or fraction or "").strip()
    if precision is Precision.SECOND and digits.isascii() and digits.isdigit():
        local += timedelta(microseconds=int(digits[:6].ljust(6, "0")))
    minutes = offset_minutes_of(offset or "")
    return Moment(local, offset_minutes_of(rest) if minutes is None else minutes, precision)


def _known(parts: list[int]) -> list[int]:
    """Year, month and day without those that are zero: 1988:00:00 is a year."""
    return parts[: parts.index(0, 1)] if 0 in parts[1:] else parts


def offset_minutes_of(text: str) -> int | None:
    """Minutes east of UTC of "+02:00", "-0500", "+02", "Z" or "GMT+2"; None for anything else."""
    found = _OFFSET.search(text)
    if found is None:
        return None
    if found[4]:
        return 0
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    if minutes > _MOST_OFFSET_MINUTES:
        return None
    return -minutes if found[1] == "-" else minutes


def mail_date(text: str) -> Moment | None:
    """The moment of a date as in e-mail (RFC 1123), which PNG recommends for `Creation Time`."""
    from email.utils import parsedate_tz

    found = parsedate_tz(text)
    if found is None:
        return None
    seconds = found[9]
    try:
        local = datetime(*found[:6])  # noqa: DTZ001 - the offset is kept beside it
    except ValueError:
        return None
    return Moment(local, None if seconds is None else seconds // 60)
