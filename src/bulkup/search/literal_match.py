"""What of a query is matched literally: words and dates.

A date may be typed in several ways: 2024, 2019-05, 2019-05-17, may, may 2019, 17 May 2019,
May 17, 2019. It is compared with the camera's clock (ISO 8601, the manifest's `taken_at`), and with
paths that hold a date (2019/05/…, IMG_20190517_…).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_MONTH_NUMBERS: Final = {
    spelling: number
    for number, month in enumerate(MONTHS, 1)
    for spelling in (month, month[:3], "sept" if month == "september" else month)
}

_TYPOGRAPHIC: Final = "\N{RIGHT SINGLE QUOTATION MARK}"
_TOKEN: Final = re.compile(r"\d{4}[-/.]\d{2}(?:[-/.]\d{2})?(?![\w/])|\w+(?:[-'.]\w+)*")
_YEAR: Final = re.compile(r"(?:18|19|20|21)\d\d")
_ISO: Final = re.compile(_YEAR.pattern + r"([-/.])(?:0[1-9]|1[0-2])(?:\1(?:0[1-9]|[12]\d|3[01]))?")
_DAY: Final = re.compile(r"(0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?")
_ORDERS: Final = ("i", "dmy", "mdy", "ymd", "my", "ym", "dm", "md", "y", "m")
"""An ISO date; orders of days, months by name and years. The first that fits is taken."""

_ACCENTS: Final = re.compile("[\u0300-\u036f]")
"""Combining diacritical marks. Those of other blocks are vowels, in Hebrew or Devanagari."""

_LETTERS: Final = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "\u0131": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe"}
)
"""Letters that do not decompose, as people without the key type them."""


_STOP_WORDS_TEXT: Final = (
    "a an the of in on at by to for from with without and or is are was my our his her their its "
    "this that these those some any me i we you it near under over into photo photos photograph "
    "photographs picture pictures image images pic pics show find"
)
STOP_WORDS: Final = frozenset(_STOP_WORDS_TEXT.split())
"""Words without a meaning here, unless the query has no others."""


class Described(NamedTuple):
    """The texts that the manifest has about a picture."""

    path: str  # of a content with several assets all of them, one per line
    camera: str | None = None
    lens: str | None = None
    taken_at: str | None = None  # ISO 8601, the camera's clock: '2019-05-17T10:00:00+02:00'
    words: str | None = None  # title, description, keywords


@dataclass(frozen=True, slots=True)
class Word:
    """A word that may be in a path or in the name of a camera or lens; `forms` in lower case."""

    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Date:
    """A year, a month, a day, as far as given; never all None."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


Term = Word | Date


@dataclass(frozen=True, slots=True)
class Typed:
    """A query, split into words in lower case, in order, and dates.

    A month alone is both a date and a word: 'december' may look like snow. 'may' is a date only.
    """

    words: tuple[str, ...]
    dates: tuple[Date, ...]


def typed(text: str) -> Typed:
    """Split `text`. Punctuation is dropped, except apostrophes and hyphens inside words."""
    tokens = _TOKEN.findall(folded(text).replace(_TYPOGRAPHIC, "'"))
    words: list[str] = []
    dates: list[Date] = []
    start = 0
    while start < len(tokens):
        date, count = _date(tokens[start : start + 3])
        if date is None:
            words.append(tokens[start].removesuffix("'s"))
        else:
            dates.append(date)
            if count == 1 and date.year is None and tokens[start] != "may":
                words.append(tokens[start])
        start += max(count, 1)
    return Typed(tuple(words), tuple(dates))


def terms_of(
    parsed: Typed, stop_words: frozenset[str], base: Callable[[str], str | None]
) -> tuple[Term, ...]:
    """Dates first. `base` gives the base form of a word. A month alone is two terms: the date, and
    its name in a path."""
    literal = dict.fromkeys(word for word in parsed.words if word not in stop_words)
    forms = ((word, base(word) or word) for word in literal)
    dates: tuple[Date, ...] = parsed.dates
    return (*dates, *(Word(tuple(dict.fromkeys(pair))) for pair in forms))


def is_english(text: str) -> bool:
    """Whether all letters are those of English; 'café' may be another language's."""
    return all(sign.isascii() for sign in text if sign.isalpha())


def folded(text: str) -> str:
    """Without case and accents, for comparison: `Café` and `cafe` are one word."""
    if text.isascii():
        return text.casefold()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFD", text.translate(_LETTERS)))
    return unicodedata.normalize("NFC", plain).casefold()  # macOS decomposes file names


def _date(tokens: Sequence[str]) -> tuple[Date | None, int]:
    """The date at the start of `tokens` and how many of them it takes, or None and 0."""
    pieces = [_piece(token) for token in tokens]
    pattern = "".join(kind for kind, _ in pieces)
    order = next((order for order in _ORDERS if pattern.startswith(order)), "")
    if order == "i":
        return Date(*(int(number) for number in re.split("[-/.]", tokens[0]))), 1
    given = dict(pieces[: len(order)])
    date = Date(given.get("y"), given.get("m"), given.get("d")) if given else None
    return date, len(order)


def _piece(token: str) -> tuple[str, int]:
    """The part of a date that a token may be, as a letter of _ORDERS, and its number; '-': none."""
    if token in _MONTH_NUMBERS:
        return "m", _MONTH_NUMBERS[token]
    if _YEAR.fullmatch(token):
        return "y", int(token)
    if day := _DAY.fullmatch(token):
        return "d", int(day[1])
    return ("i" if _ISO.fullmatch(token) else "-"), 0
