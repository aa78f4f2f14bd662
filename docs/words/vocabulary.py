"""Chooses the words of the table of make_words.py: what people may search in pictures."""

from __future__ import annotations

from collections.abc import Iterable

from wordnet import ARTIFACT, LOCATION, OBJECT, Synset, WordNet

_PICTURED = {5, 6, 13, 15, 17, 20}
"""lexnames(5): animals, artifacts, food, places, natural objects, plants."""

_PLACES = {ARTIFACT, LOCATION, OBJECT}
_SIGHTS = {ARTIFACT, OBJECT}

_TIME = 28
"""lexnames(5): of what is an instance there, holidays."""

_GROUPED = _PICTURED | {8, 14, 18, 19, 27}
"""With body parts, groups, persons, phenomena and substances."""

_ENDINGS = [
    *(("'s", ""), ("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man")),
    *(("ed", ""), ("ed", "e"), ("ied", "y"), ("ing", ""), ("ing", "e"), ("ly", "")),
    *(("er", ""), ("er", "e"), ("ier", "y"), ("est", ""), ("est", "e"), ("iest", "y")),
]
"""An inflected form needs no row of its own: the search takes it back to its base."""


def chosen(
    parts: tuple[WordNet, WordNet, WordNet],
    common: set[str],
    extra: set[str],
    classes: list[Synset],
) -> list[str]:
    """The words in lower case, sorted by their UTF-8 bytes.

    `parts` are nouns, adjectives and verbs. `common` is a list of usual words, capitals as
    written; obscure ones are taken only where they name something that can be seen. All of `extra`
    are taken.
    """
    nouns = parts[0]
    words = extra | {word for part in parts for word in part.entries if word in common}
    words |= {word for word in nouns.entries if _is_pictured(nouns, word, common)}
    words |= {word for word in common if word.islower() and not _known(parts, word)}
    words |= {
        name.lower()
        for synset in classes
        for kind in (synset, *nouns.ancestors(synset))
        for name in kind.names
    }
    return sorted((word for word in words if _is_plain(word)), key=str.encode)


def _is_pictured(nouns: WordNet, word: str, common: set[str]) -> bool:
    """Whether a noun that is not common, or not one word, is worth a row."""
    sense = nouns.sense(word)
    if sense is None:
        topics = {nouns.synsets[offset].topic for offset in nouns.entries[word].offsets}
        return bool(topics & (_SIGHTS if " " in word else _PLACES | {_TIME}))
    if nouns.written[word] & common:
        return True
    if word not in nouns.written[word]:  # a proper noun, or the Latin name of a family
        return False
    if " " in word:
        return sense.topic in _GROUPED and nouns.entries[word].tagged_senses > 0
    return sense.topic in _PICTURED


def _known(parts: Iterable[WordNet], word: str) -> bool:
    """Whether WordNet has `word`, or something it may be a form of."""
    bases = {word} | {_based(word, ending, base) for ending, base in _ENDINGS}
    bases |= {base[:-1] for base in bases if len(base) > 3 and base[-1] == base[-2]}  # 'running'
    return any(
        word in part.exceptions or any(base in part.entries for base in bases) for part in parts
    )


def _based(word: str, ending: str, base: str) -> str:
    return word.removesuffix(ending) + base if word.endswith(ending) else word


def _is_plain(word: str) -> bool:
    letters = word.replace(" ", "").replace("-", "").replace("'", "")
    return len(word) > 1 and word.isascii() and letters.isalpha() and word[0].isalpha()
