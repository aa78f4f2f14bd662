"""Numbers, sizes and times as pages write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime


def count(number: float) -> str:
    """With thin groups: 1,500."""
    return f"{number:,.0f}"


def size(number: float) -> str:
    """Bytes in binary units, three digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def moment(text: str | None) -> str:
    """An ISO 8601 time as people read it, to the minute."""
    return "" if text is None else text[:16].replace("T", " ")


def month(text: str) -> str:
    """2019-05 as May 2019; what has no month stays."""
    try:
        return datetime.strptime(text[:7], "%Y-%m").strftime("%B %Y")  # noqa: DTZ007 - a local day has no zone
    except ValueError:
        return text[:4] or "No date"


def day(text: str) -> str:
    """2019-05-03 as 3 May 2019; what has no day is a month."""
    try:
        found = datetime.strptime(text[:10], "%Y-%m-%d")  # noqa: DTZ007 - a local day has no zone
    except ValueError:
        return month(text)
    return f"{found.day} {found:%B %Y}"


def name(path: str) -> str:
    """The file's name."""
    return path.rpartition("/")[2].rpartition("#")[2] or path


FILTERS: Mapping[str, Callable[..., str]] = {
    "count": count,
    "size": size,
    "moment": moment,
    "month": month,
    "day": day,
    "name": name,
}
