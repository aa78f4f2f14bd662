"""The usual nouns of ten languages, as words of the English table: without the extra `languages`.

The table (data/foreign.*) is made by docs/words/make_foreign.py. It knows German, French, Spanish,
Italian, Portuguese, Dutch, Polish, Russian, Japanese and Chinese words, folded as queries are: in
lower case, without accents. No language has to be named, so a word of several languages may stand
for two English ones, of which the mean is taken.

A word that is also English ('gift', 'chat') is taken for English, unless another word of the query
is only known in a language that has it, too: 'chat' is a talk, 'chat noir' a cat.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.search.vocabulary import DATA, QueryPart, Words

LANGUAGES: Final = ("de", "fr", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh")
"""ISO 639-1; bit by bit in the table."""

NONE: Final = 0xFFFF
"""In the table: no English word."""

_COMPOUNDING: Final = 1 << LANGUAGES.index("de") | 1 << LANGUAGES.index("nl")
_LONGEST_PHRASE: Final = 3
_LONGEST_UNSPACED: Final = 8  # signs of a word of Chinese or Japanese
_LEAST_STEM: Final = 3
_LEAST_OF_COMPOUND: Final = 4

_LATIN_ENDINGS: Final = "s n e x i a o y u es en er as os ns em om ow ie ern ami ach"
_CYRILLIC_ENDINGS: Final = "а ы и е у я ь ю ов ам ах ой ом ей ами ями"  # noqa: RUF001 - Cyrillic
_ENDINGS: Final = (*_LATIN_ENDINGS.split(), *_CYRILLIC_ENDINGS.split())
_LAST_LETTERS: Final = "e o a m u us а о я ь й"  # noqa: RUF001 - Cyrillic
_LAST: Final = ("", *_LAST_LETTERS.split())
"""Inflected forms lose one of the first and may have had one of the second: 'gatti', 'gatto'."""


class Entry(NamedTuple):
    """What a word is in the languages of the table."""

    words: tuple[str, ...]  # of the English table; none for articles and prepositions
    languages: int  # bits, see LANGUAGES; 0: not known


class ForeignWords:
    """The table. Words are looked up as literal_match.typed folds them."""

    def __init__(self, words: Words, folder: Path = DATA) -> None:
        self._english = words
        self._keys = (folder / "foreign.txt").read_text("utf-8").split("\n")
        self._rows: NDArray[np.uint16] = np.load(folder / "foreign.npy")

    def __len__(self) -> int:
        return len(self._keys)

    def entry(self, word: str) -> Entry | None:
        """Of `word`, of its base form, or of the two halves of a compound."""
        found = self._exact(word) or self._inflected(word)
        if found is None and word.isalpha() and len(word) >= 2 * _LEAST_OF_COMPOUND:
            found = self._compound(word)
        return found

    def read(self, typed: Sequence[str], *, is_english: bool) -> list[QueryPart] | None:
        """`typed`, in order, as parts; None when no word of it is of another language.

        `is_english` is false for a text with letters that English has not: then this table comes
        first. Parts without English words are unknown; articles and prepositions are no parts.
        """
        pieces = list(self._pieces(typed))
        known = [self._english.read(piece.split(" ")) for piece, _ in pieces]
        is_known = [all(part.words for part in parts) for parts in known]
        decided = [
            entry
            for (_, entry), english in zip(pieces, is_known, strict=True)
            if entry is not None and not (english and is_english)
        ]
        if not decided:
            return None
        of = _languages(decided)
        parts: list[QueryPart] = []
        for (piece, entry), english, plain in zip(pieces, known, is_known, strict=True):
            if entry is None or (plain and is_english and not self._belongs(piece, entry, of)):
                parts += english
            elif entry.words:
                parts.append(QueryPart(piece, entry.words))
        return parts

    def _belongs(self, word: str, entry: Entry, languages: int) -> bool:
        """Whether an English word is rather one of these languages: where its own are not known,
        any form that the English table itself has not ('roter')."""
        if entry.languages:
            return bool(entry.languages & languages)
        return word not in self._english

    def _pieces(self, typed: Sequence[str]) -> Iterable[tuple[str, Entry | None]]:
        """Words and phrases of the table, the longest first, and what is between them."""
        start = 0
        while start < len(typed):
            for count in range(min(_LONGEST_PHRASE, len(typed) - start), 1, -1):
                phrase = " ".join(typed[start : start + count])
                if (entry := self._exact(phrase)) is not None:
                    yield phrase, entry
                    break
            else:
                count = 1
                yield from self._single(typed[start])
            start += count

    def _single(self, word: str) -> Iterable[tuple[str, Entry | None]]:
        entry = self.entry(word)
        if entry is None and _is_unspaced(word):
            yield from self._cut(word)
            return
        if entry is None and "'" in word:  # l'église
            rest = word.rpartition("'")[2]
            entry = self.entry(rest)
        yield word, entry

    def _cut(self, text: str) -> Iterable[tuple[str, Entry | None]]:
        """Chinese and Japanese have no spaces: the longest word at each place."""
        start, found = 0, False
        while start < len(text):
            for count in range(min(_LONGEST_UNSPACED, len(text) - start), 0, -1):
                piece = text[start : start + count]
                if (entry := self._exact(piece)) is not None:
                    yield piece, entry
                    found = True
                    break
            start += count
        if not found:
            yield text, None

    def _exact(self, word: str) -> Entry | None:
        at = bisect_left(self._keys, word)
        if at == len(self._keys) or self._keys[at] != word:
            return None
        *rows, languages = self._rows[at].tolist()
        return Entry(tuple(self._english.at(row) for row in rows if row != NONE), languages)

    def _inflected(self, word: str) -> Entry | None:
        stems = (
            word.removesuffix(ending)
            for ending in _ENDINGS
            if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM
        )
        tried = (self._exact(stem + last) for stem in stems for last in _LAST)
        return next((one for one in tried if one is not None and one.words and one.languages), None)

    def _compound(self, word: str) -> Entry | None:
        """'Gartenhaus', 'Sonnenschirm': the second half is what it is, the first says of what."""
        least = _LEAST_OF_COMPOUND
        for cut in range(least, len(word) - least + 1):
            second = self._exact(word[cut:])
            if second is None or not second.words or not second.languages & _COMPOUNDING:
                continue
            first = self._exact(word[:cut]) or self._inflected(word[:cut])
            if first is not None and first.words and first.languages & second.languages:
                both = (*second.words[:1], *first.words[:1])
                return Entry(tuple(dict.fromkeys(both)), first.languages & second.languages)
        return None


def _languages(entries: Iterable[Entry]) -> int:
    """The languages that all of them have, or that any has where there is none."""
    masks = [entry.languages for entry in entries if entry.languages]
    common = (1 << len(LANGUAGES)) - 1
    for mask in masks:
        common &= mask
    if common and masks:
        return common
    either = 0
    for mask in masks:
        either |= mask
    return either


def _is_unspaced(word: str) -> bool:
    names = (unicodedata.name(sign, "") for sign in word)
    return any(name.startswith(("CJK", "HIRAGANA", "KATAKANA")) for name in names)


@cache
def known_foreign_words() -> ForeignWords:
    """The table of bulkup, read on the first call (10 ms)."""
    from bulkup.search.vocabulary import known_words

    return ForeignWords(known_words())
