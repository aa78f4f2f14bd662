"""What of a query is matched literally: words and dates.

A date may be typed in several ways: 2024, 2019-05, 2019-05-17, 20190517, 17.5.2019, 5/2019, may,
may 2019, 17 May 2019, May 17, 2019, 17th of May, 17 mai 2019, 2019年5月17日. Of 05/06/2019, which
is read in two ways, the year counts. It is compared with the camera's clock (ISO 8601, the
manifest's `taken_at`), and with paths that hold a date (2019/05/…, IMG_20190517_…).

Emoji are the words of their Unicode names: U+1F415 is 'dog'.
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

_FOREIGN_MONTHS_TEXT: Final = """
januar februar marz april mai juni juli august september oktober november dezember
janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
styczen luty marzec kwiecien maj czerwiec lipiec sierpien wrzesien pazdziernik listopad grudzien
stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia
январь февраль март апрель маи июнь июль август сентябрь октябрь ноябрь декабрь
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
"""
_FOREIGN_MONTHS: Final = {
    name: number
    for line in _FOREIGN_MONTHS_TEXT.split("\n")
    for number, name in enumerate(line.split(), 1)
}
"""As folded() leaves them. Beside a day or a year only: 'mars' alone is a planet."""

_TYPOGRAPHIC: Final = "\N{RIGHT SINGLE QUOTATION MARK}"
_Y: Final = r"(?:18|19|20|21)\d\d"
_M: Final = r"0?[1-9]|1[0-2]"
_D: Final = r"0?[1-9]|[12]\d|3[01]"
_TOKEN: Final = re.compile(
    rf"(?:{_Y}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?|\d{{1,2}}[-/.](?:\d{{1,2}}[-/.])?{_Y})(?![\w/])"
    r"|\w+(?:[-'.]\w+)*"
)
_YEAR: Final = re.compile(_Y)
_DAY: Final = re.compile(rf"({_D})(?:st|nd|rd|th)?")
_LEAST_NUMERIC: Final = len("5/2019")
_NUMERIC: Final = (
    rf"(?P<y>{_Y})(?P<sign>[-/.])(?P<m>{_M})(?:(?P=sign)(?P<d>{_D}))?",
    rf"(?P<y>{_Y})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])",
    rf"(?P<m>{_M})/(?P<d>1[3-9]|2\d|3[01])/(?P<y>{_Y})",
    rf"(?P<d>{_D})(?P<sign>[-/.])(?P<m>{_M})(?P=sign)(?P<y>{_Y})",
    rf"(?P<m>{_M})[-/.](?P<y>{_Y})",
    rf"(?P<y>{_Y})年(?:(?P<m>{_M})月(?:(?P<d>{_D})日)?)?",
)
_ORDERS: Final = ("i", "dmy", "mdy", "ymd", "my", "ym", "dm", "md", "y", "m")
"""A date in numbers; orders of days, months by name and years. The first that fits is taken."""

_UNSEEN_TEXT: Final = (
    "face with heavy black white sign symbol mark and of small large button selector"
)
_UNSEEN_IN_NAMES: Final = frozenset(_UNSEEN_TEXT.split())
"""Words in the names of emoji that say how they are drawn."""

_LINKS: Final = frozenset({"of", "de", "del"})
"""Words inside dates: '17 de mayo de 2019'."""

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
    plain = folded(_spelled(text)).replace(_TYPOGRAPHIC, "'")
    tokens = _without_links(_TOKEN.findall(plain))
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


def _spelled(text: str) -> str:
    """With words for emoji, which keyboards of phones offer instead of words."""
    if text.isascii() or all(unicodedata.category(sign) != "So" for sign in text):
        return text
    return "".join(
        f" {_name_of(sign)} " if unicodedata.category(sign) == "So" else sign for sign in text
    )


def _name_of(emoji: str) -> str:
    words = unicodedata.name(emoji, "").lower().split()
    return "" if "regional" in words else " ".join(w for w in words if w not in _UNSEEN_IN_NAMES)


def _without_links(tokens: Sequence[str]) -> list[str]:
    """Without the 'of' of '17th of May': between a day or a month and a month or a year."""
    around = zip((None, *tokens), tokens, (*tokens[1:], None), strict=False)
    return [
        token
        for before, token, after in around
        if not (token in _LINKS and before and after and _links(before, after))
    ]


def _links(before: str, after: str) -> bool:
    return _piece(before)[0] + _piece(after)[0] in ("dm", "df", "my", "fy")


def _date(tokens: Sequence[str]) -> tuple[Date | None, int]:
    """The date at the start of `tokens` and how many of them it takes, or None and 0."""
    pieces = [_piece(token) for token in tokens]
    kinds = "".join(kind for kind, _ in pieces)
    orders = (order for order in _ORDERS if kinds.replace("f", "m").startswith(order))
    order = next(orders, "")
    if order == "i":
        return _in_numbers(tokens[0]), 1
    if kinds[: len(order)] == "f":
        return None, 0
    given = {kind.replace("f", "m"): number for kind, number in pieces[: len(order)]}
    date = Date(given.get("y"), given.get("m"), given.get("d")) if given else None
    return date, len(order)


def _piece(token: str) -> tuple[str, int]:
    """The part of a date that a token may be, as a letter of _ORDERS, and its number; '-': none.

    'f' is a month by a name that is not English.
    """
    if token in _MONTH_NUMBERS:
        return "m", _MONTH_NUMBERS[token]
    if token in _FOREIGN_MONTHS:
        return "f", _FOREIGN_MONTHS[token]
    if _YEAR.fullmatch(token):
        return "y", int(token)
    if day := _DAY.fullmatch(token):
        return "d", int(day[1])
    return ("i" if _in_numbers(token) else "-"), 0


def _in_numbers(token: str) -> Date | None:
    """A date without words. Of one that is read in two ways, 05/06/2019, the year only."""
    if not token[0].isdigit() or len(token) < _LEAST_NUMERIC:
        return None
    # Compiled here and kept by `re`: most queries have no such date.
    match = next((match for one in _NUMERIC if (match := re.fullmatch(one, token))), None)
    if match is None:
        return None
    given = match.groupdict()
    year, month, day = (int(given[key]) if given.get(key) else None for key in "ymd")
    is_clear = token.startswith(given["y"]) or day is None or day > 12 or day == month
    if given.get("sign") == "/" and not is_clear:
        return Date(year)
    return Date(year, month, day)
