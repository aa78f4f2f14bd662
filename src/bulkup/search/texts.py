"""Literal matches: in paths, cameras, lenses, titles, keywords and dates of many pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.search.literal_match import Date, Described, Term, Word, folded

_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

_END: Final = "\0"
_RARE: Final = 50  # characters for each occurrence: then it pays to look at each


class Texts:
    """The texts of many pictures, to be asked for terms as often as one likes. For one thread.

    None is a picture that is left out. All texts are one long string: an occurrence in it is found
    by the C library, and belongs to the picture that begins before it.
    """

    def __init__(self, pictures: Iterable[Described | None]) -> None:
        self._replaced: dict[int, Described] = {}
        self.pictures = tuple(pictures)
        self.is_here: NDArray[np.bool_] = np.fromiter(
            (picture is not None for picture in self.pictures), np.bool_, len(self.pictures)
        )
        self._folded = _Joined.of(
            folded(_END.join("" if one is None else _text(one) for one in self.pictures))
        )
        self._paths: _Joined | None = None
        self._split: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def counts(self, terms: Iterable[Term]) -> NDArray[np.int32]:
        """How many of `terms` each picture matches, shape (n,); 0 where it is left out.

        100,000 pictures take 0.01 s a term, and 0.1 s when nearly all match.
        """
        found, asked = np.zeros(len(self), np.int32), tuple(terms)
        for term in asked:
            found += self._with_word(term) if isinstance(term, Word) else self._of_date(term)
        if self._replaced:
            found[list(self._replaced)] = matches(asked, self._replaced.values())
        return np.where(self.is_here, found, np.int32(0))

    def only(self, is_here: Sequence[bool], others: Mapping[int, Described]) -> Texts:
        """The texts of pictures that are still here, with `others` in their places."""
        found = copy(self)
        found.is_here = self.is_here & np.fromiter(is_here, np.bool_, len(self))
        if others:
            pictures = list(self.pictures)
            for place, picture in others.items():
                pictures[place] = picture
            found.pictures = tuple(pictures)
            found._replaced = {**self._replaced, **others}  # noqa: SLF001 - of its own class
        return found

    def _with_word(self, word: Word) -> NDArray[np.bool_]:
        matched, may_match = np.zeros((2, len(self)), np.bool_)
        patterns = [re.compile(_whole(form)) for form in word.forms]
        for form, pattern in zip(word.forms, patterns, strict=True):
            self._folded.mark(form.removesuffix("y"), pattern, matched, may_match)
        for place in np.flatnonzero(may_match & ~matched).tolist():
            text = self._in_words(place)
            matched[place] = any(pattern.search(text) for pattern in patterns)
        return matched

    def _in_words(self, place: int) -> str:
        """The picture's texts with a space before each capital behind a small letter."""
        text = self._split.get(place)
        if text is None:
            picture = self.pictures[place]
            text = "" if picture is None else folded(_CAMEL.sub(" ", _text(picture)))
            self._split[place] = text
        return text

    def _of_date(self, date: Date) -> NDArray[np.bool_]:
        taken = _taken(date)
        matched: NDArray[np.bool_] = np.fromiter(
            (
                one is not None and one.taken_at is not None and bool(taken.match(one.taken_at))
                for one in self.pictures
            ),
            np.bool_,
            len(self),
        )
        in_path = _in_path(date)
        if in_path is not None:
            if self._paths is None:
                self._paths = _Joined.of(
                    _END.join("" if one is None else _one_line(one.path) for one in self.pictures)
                )
            self._paths.mark(str(date.year), in_path, matched, np.zeros(len(self), np.bool_))
        return matched


class _Joined(NamedTuple):
    """Texts in one, each but the last followed by _END."""

    whole: str
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, whole: str) -> _Joined:
        lengths = [len(text) + 1 for text in whole.split(_END)]
        return cls(whole, np.cumsum([0, *lengths[:-1]], dtype=np.intp))

    def mark(
        self,
        stem: str,
        pattern: re.Pattern[str],
        matched: NDArray[np.bool_],
        has_stem: NDArray[np.bool_],
    ) -> None:
        """Set the places of the texts in which `pattern` is found, and where `stem` is, with which
        everything begins that it matches."""
        if not stem or self.whole.count(stem) * _RARE > len(self.whole):
            has_stem[:] = True
            places = [found.start() for found in pattern.finditer(self.whole)]
        else:
            stems = list(_places(self.whole, stem))
            has_stem[self._texts_at(stems)] = True
            places = [at for at in stems if pattern.match(self.whole, at)]
        matched[self._texts_at(places)] = True

    def _texts_at(self, places: Sequence[int]) -> NDArray[np.intp]:
        """Of several places in one text, the text several times: np.unique would import numpy.ma,
        which a command's start pays for."""
        return np.searchsorted(self.starts, np.array(places, np.intp), side="right") - 1


def _places(text: str, stem: str) -> Iterator[int]:
    at = text.find(stem)
    while at >= 0:
        yield at
        at = text.find(stem, at + 1)


def matches(terms: Sequence[Term], pictures: Iterable[Described]) -> NDArray[np.int32]:
    """How many of `terms` each picture matches, shape (n,), for pictures that are asked once."""
    return Texts(pictures).counts(terms)


def _text(picture: Described) -> str:
    return _one_line(
        f"{picture.path}\n{picture.camera or ''}\n{picture.lens or ''}\n{picture.words or ''}"
    )


def _one_line(text: str) -> str:
    return text.replace(_END, " ") if _END in text else text


def _whole(form: str) -> str:
    """A pattern for `form` or its plural as a whole word: where letters or digits begin and end.

    So 'beach' is in 'beach2019.jpg' and '5d' in 'EOS5D', but 'art' is not in 'party'. Words in
    other scripts, which may have no spaces, are searched anywhere.
    """
    if not form.isascii():
        return re.escape(form)
    before, after = (r"\d" if sign.isdigit() else r"[^\W\d_]" for sign in (form[0], form[-1]))
    endings = (
        rf"{re.escape(form[:-1])}(?:y|ies)" if form[-1] == "y" else rf"{re.escape(form)}(?:e?s)?"
    )
    return rf"(?<!{before}){endings}(?!{after})"


def _taken(date: Date) -> re.Pattern[str]:
    """A pattern for the beginning of the camera's clock."""
    parts = [
        None if number is None else f"{number:02}" for number in (date.year, date.month, date.day)
    ]
    while parts[-1] is None:  # what is known to the year or the month only counts, too
        parts.pop()
    return re.compile("-".join(part or r"\d+" for part in parts) + r"(?!\d)")


def _in_path(date: Date) -> re.Pattern[str] | None:
    """A pattern for the date in a path, as '2019/05' or '20190517'; None without a year."""
    if date.year is None:
        return None
    month = r"(?:\d\d)?" if date.month is None else f"{date.month:02}"
    day = r"(?:\d\d)?" if date.day is None else f"{date.day:02}"
    compact = rf"{date.year}{month}{day}"
    if date.month is None:
        return re.compile(rf"(?<!\d)(?:{compact})(?!\d)")
    end = "" if date.day is None else rf"[-_/.]?{day}"
    return re.compile(rf"(?<!\d)(?:{compact}|{date.year}[-_/.]{month}{end})(?!\d)")
