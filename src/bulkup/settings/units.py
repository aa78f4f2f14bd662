"""Sizes, durations, ages and dates as people write them: the same units for every option. Pure.

Sizes have `k`, `M`, `G` and `T` in either case, of 1000 with a `B` (`MB`) and of 1024 otherwise.

The units of time are rclone's: `ms`, `s`, `m`, `h`, `d`, `w`, `M` (a month of 30 days) and `y` (365
days). They are case-sensitive, because `m` is a minute and `M` a month everywhere.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from bulkup.errors import UsageError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

UNIT_SECONDS: Final = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "M": 2_592_000,
    "y": 31_536_000,
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?b)?|b)?", re.IGNORECASE)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|M|y)", re.ASCII)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_OLDEST: Final = timedelta(days=365_000)  # datetime counts from the year 1


def parse_size(text: str) -> int:
    """Bytes from `64MiB`, `10M`, `1.5G`, `500kB` or `1024`. Raises ValueError.

    `M` is `MiB` (1024²), as in rclone and rsync; only `MB` is 1000².
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    number, letter, ending = (group or "" for group in match.groups())
    step = 1000 if ending.lower() == "b" else 1024
    factor = int(step ** " kmgt".index(letter.lower() or " "))
    if "." not in number:
        return int(number) * factor  # exact, however large
    return round(float(number) * factor)


def parse_duration(text: str) -> float:
    """Seconds from `90`, `10m`, `1h30m`, `2d` or `0.5s`. Raises ValueError.

    A number without a unit is seconds, and stands alone: `1h30` is ambiguous.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    return _seconds(text)


def parse_age_or_date(text: str) -> timedelta | datetime:
    """An age (`30d`, `1d12h`) or a date, which is the start of what it names. Raises ValueError.

    A date is `2024`, `2024-05`, `2024-5-3` or anything in ISO 8601. It is naive (local time)
    unless the text names an offset.
    """
    text = text.strip()
    if _PART.match(text):
        try:
            age = timedelta(seconds=_seconds(text))
        except OverflowError as error:
            raise ValueError(text) from error
        if age > _OLDEST:
            raise ValueError(text)
        return age
    if short := _DATE.fullmatch(text):
        year, month, day = (int(part or 1) for part in short.groups())
        return datetime(year, month, day)  # noqa: DTZ001 - local, see above
    return datetime.fromisoformat(text)


def moment_option(text: str, *, option: str) -> timedelta | datetime:
    """The age or date of a command-line option. Raises UsageError that names the option."""
    try:
        return parse_age_or_date(text)
    except ValueError as error:
        raise UsageError(
            f"{option}: {text!r} is neither an age nor a date",
            hint="Write an age such as 30d or 12h, or a date such as 2026-01-31 or 2026.",
        ) from error


def timestamp(moment: timedelta | datetime, *, now: float) -> float:
    """The moment in seconds since 1970, like `now`. A naive date is in the machine's time zone."""
    if isinstance(moment, timedelta):
        return now - moment.total_seconds()
    return moment.timestamp()


def local_time(moment: timedelta | datetime, *, now: datetime) -> datetime:
    """The moment as a naive local time, like `now`: a camera's clock has no zone."""
    if isinstance(moment, timedelta):
        return now - moment
    return moment if moment.tzinfo is None else moment.astimezone().replace(tzinfo=None)


def _seconds(text: str) -> float:
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError(text)
    return sum(float(part[1]) * UNIT_SECONDS[part[2]] for part in parts)
