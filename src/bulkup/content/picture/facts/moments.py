"""Dates and times as EXIF, IPTC, XMP, PNG and video containers write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from bulkup.content.picture.types import Moment, Precision

_DATE: Final = re.compile(
    r"(\d{4})(?:[:\-/.](\d\d?)(?:[:\-/.](\d\d?)"
    r"(?:[ T:]+(?:(\d\d?):(\d\d?)(?::(\d\d?)(?:[.,](\d+))?)?"
    r"|(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d+))?)?))?"
    r")?)?(?!\d)"
)
_BASIC_DATE: Final = re.compile(  # ISO 8601's basic format, and what is left of it without the T
    r"(\d{4})(\d\d)(\d\d)(?:(?!\d)|(?=\d{6}(?!\d)))"
)
_PADDING: Final = re.compile(r"(?<=[:/])\s+(?=\d)")  # "2019: 5: 7  9: 3: 4", "2019/ 5/ 7"
_CLOSED: Final = re.compile(r"/\s+(?=\d\d?:)")  # "2019/05/07/ 09:03"
_UNKNOWN: Final = re.compile(r"[\sT:\-/.?]*").fullmatch  # EXIF fills what is unknown with blanks
_NO_CLOCK: Final = re.compile(r"[\s\dT:\-/.,?+Z]*").fullmatch  # an impossible time, or only a zone
_MOST_HOURS, _MOST_SECONDS = 23, 59
_PRECISIONS: Final = (Precision.YEAR, Precision.MONTH, Precision.DAY, Precision.DAY,
                      Precision.MINUTE, Precision.SECOND)  # fmt: skip
_OFFSET: Final = re.compile(r"(?:GMT|UTC)?\s*([+\-\u2212])(\d\d?)(?::?(\d\d))?(?!\d)|(Z|GMT|UTC)\b")
_MAIL_ZONE: Final = re.compile(r"[+-]\d{4}\b|\b(?:GMT|UTC?|Z|[ECMP][SD]T)\b").search
_MOST_OFFSET_MINUTES: Final = 14 * 60  # Line Islands, UTC+14; nothing on land is further


def moment_of(
    date: str | None, offset: str | None = None, fraction: str | None = None
) -> Moment | None:
    """The moment of `date`, in the spelling of EXIF or of ISO 8601; None when it is none.

    `date` may end with a day, a month or a year, and may contain a fraction of a second and an
    offset. `offset` ("+02:00") and `fraction` (digits) are those that are given beside it.
    """
    text = _BASIC_DATE.sub(r"\1-\2-\3 ", (date or "").strip(), count=1).rstrip()
    text = _PADDING.sub("", _CLOSED.sub(" ", text))
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, *clock = found.groups()
    hour, minute, second, digits = clock[:4] if clock[0] else clock[4:]
    parts = [int(part) for part in (year, month, day, hour, minute, second) if part is not None]
    if parts[5:] and parts[5] > _MOST_SECONDS:  # programs' mistakes; the minute is right
        parts = parts[:5]
    if parts[3:] and (parts[3] > _MOST_HOURS or parts[4] > _MOST_SECONDS):
        parts = parts[:3]
    rest = text[found.end() :].strip()
    is_date = (_UNKNOWN, _NO_CLOCK)[len(parts) == 3](rest) if len(parts) < 5 else True
    if not is_date:  # "2010 in Rome" is none
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
    digits = (digits or fraction or "").strip()
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
    return minutes if found[1] == "+" else -minutes


def mail_date(text: str) -> Moment | None:
    """The moment of a date as in e-mail (RFC 1123), which PNG recommends for `Creation Time`."""
    from email.utils import parsedate_tz

    precision = Precision.SECOND if ":" in text else Precision.DAY
    found = parsedate_tz(text if ":" in text else f"{text} 00:00:00")
    if found is None:
        return None
    try:
        local = datetime(*found[:6])  # noqa: DTZ001 - the offset is kept beside it
    except ValueError:
        return None
    # The parser takes a date without a zone for UTC.
    offset = found[9] // 60 if found[9] is not None and _MAIL_ZONE(text) else None
    return Moment(local, offset, precision)
