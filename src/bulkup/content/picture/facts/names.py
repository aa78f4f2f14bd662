"""Dates in the names of files, as cameras, phones and programs give them. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from unicodedata import normalize

from bulkup.content.picture.types import Moment, Precision

_HALVES: Final = {
    **dict.fromkeys(("오전", "上午", "午前", "凌晨", "早上", "öö", "am", "πμ", "ص"), 0),
    **dict.fromkeys(("오후", "下午", "午後", "中午", "晚上", "ös", "pm", "μμ", "م"), 12),
}
"""The words for the halves of the day, and the hours that they add to one of twelve."""

_BEFORE: Final = "오전|오후|上午|下午|午前|午後|凌晨|早上|中午|晚上|öö|ös"
_AFTER: Final = r"[ap]\.?\s?m|[πμ]\.?\s?μ|[صم]"
_WORD: Final = r"(?:[^\W\d]{1,5}(?:\(s\))?\.?|-)"  # at, um, a la(s), kl., ore, в
_TIME: Final = (
    rf"(?:(?P<before>{_BEFORE})\s?)?"
    r"(?P<hour>\d\d|\d(?=[.:]))(?P<mark>[-_.:]?)(?P<minute>\d\d)(?P=mark)(?P<second>\d\d)"
    rf"(?:\d{{3}})?(?!\d)(?:\s?(?P<after>{_AFTER})\b)?"
)
# IMG_20190317_123456, PXL_20190317_123456789, Screenshot_2019-03-17-12-34-56, IMG-20190317-WA0001,
# "WhatsApp Image 2019-03-17 at 12.34.56", "2019-03-17 12.34.56", signal-2019-03-17-123456,
# "Screenshot 2019-03-17 at 9.34.56 PM", "Bildschirmfoto 2019-03-17 um 12.34.56", 20190317123456,
# 截屏2019-03-17 下午9.34.56
_DATED: Final = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    rf"(?:(?:[-_T.]|,?\s(?:{_WORD}\s){{0,2}}?(?:ב-)?|(?<=\d{{8}})(?=\d{{6}})){_TIME})?(?!\d)",
    re.IGNORECASE,
).search
# "Näyttökuva 2019-3-17 kello 12.34.56", photo_1@17-03-2019_12-34-56 of Telegram
_RARE: Final = (
    re.compile(
        r"(?<!\d)(?P<year>(?:19|20)\d\d)-(?P<month>\d\d?)-(?P<day>\d\d?)"
        rf",?\s(?:{_WORD}\s){{0,2}}?{_TIME}",
        re.IGNORECASE,
    ).search,
    re.compile(
        rf"@(?P<day>\d\d)-(?P<month>\d\d)-(?P<year>(?:19|20)\d\d)_{_TIME}", re.IGNORECASE
    ).search,
)
_FIRST_YEAR: Final = 1980


def date_in_name(name: str) -> Moment | None:
    """The date in a file's name, by the clock of whoever gave it; None when there is none."""
    name = name if name.isascii() else normalize("NFC", name)  # Macs write NFD
    found = _DATED(name) or next((match for rare in _RARE if (match := rare(name))), None)
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(part or 0) for part in found.group("year", "month", "day", "hour", "minute", "second")
    )
    half = found["before"] or found["after"]
    if half is not None and hour <= 12:  # else it is a word: 2019-03-17 13.34.56 am See
        hour = hour % 12 + _HALVES["".join(c for c in half.lower() if c.isalpha())]
    precision = Precision.DAY if found["hour"] is None else Precision.SECOND
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - its zone is unknown
    except ValueError:
        return None
    return Moment(local, None, precision) if local.year >= _FIRST_YEAR else None
