"""Words of ten languages without the extra: a table of this test's, and the one that is shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bulkup.search.foreign_words import LANGUAGES, NONE, ForeignWords, known_foreign_words
from bulkup.search.text_scores import TextQuery
from bulkup.search.vocabulary import known_words

WORDS = known_words()
ENGLISH = list(WORDS)
TABLE = {  # word → languages, English words
    "hund": ("de", ["dog"]),
    "boot": ("de nl", ["boat"]),
    "rot": ("de", ["red"]),
    "ein": ("de", []),
    "haus": ("de", ["house"]),
    "garten": ("de", ["garden"]),
    "chat": ("fr", ["cat"]),
    "noir": ("fr", ["black"]),
    "eglise": ("fr", ["church"]),
    "gatto": ("it", ["cat"]),
    "zachod slonca": ("pl", ["sunset"]),
    "topo": ("es it", ["mole", "mouse"]),
    "собака": ("ru", ["dog"]),
    "猫": ("ja zh", ["cat"]),
    "赤い": ("ja", ["red"]),
    "車": ("ja", ["car"]),
}


@pytest.fixture
def table(tmp_path: Path) -> ForeignWords:
    keys = sorted(TABLE)
    rows = []
    for key in keys:
        languages, words = TABLE[key]
        numbers = [*[ENGLISH.index(word) for word in words], NONE, NONE][:2]
        rows.append([*numbers, sum(1 << LANGUAGES.index(one) for one in languages.split())])
    (tmp_path / "foreign.txt").write_text("\n".join(keys), "utf-8")
    np.save(tmp_path / "foreign.npy", np.array(rows, np.uint16))
    return ForeignWords(WORDS, tmp_path)


def read(table: ForeignWords, text: str, *, is_english: bool = True) -> str | None:
    """The English words of each part, '?' for an unknown one; None for English."""
    parts = table.read(text.split(" "), is_english=is_english)
    if parts is None:
        return None
    return " ".join("+".join(part.words) or "?" for part in parts)


@pytest.mark.parametrize(("text", "english"), [
    ("hund", "dog"), ("собака", "dog"), ("猫", "cat"), ("topo", "mole+mouse"),
    ("ein hund", "dog"), ("zachod slonca", "sunset"), ("hund xyzzy", "dog ?"),
])  # fmt: skip
def test_a_word_of_another_language_is_its_english_word(
    table: ForeignWords, text: str, english: str
) -> None:
    assert read(table, text) == english


@pytest.mark.parametrize(("text", "english"), [
    ("hunde", "dog"), ("gatti", "cat"), ("собаки", "dog"), ("hauser", "house"),
    ("gartenhaus", "house+garden"), ("l'eglise", "church"), ("d'eglise", "church"),
])  # fmt: skip
def test_inflected_and_compound_words_are_taken_back_to_their_bases(
    table: ForeignWords, text: str, english: str
) -> None:
    assert read(table, text) == english


def test_chinese_and_japanese_need_no_spaces(table: ForeignWords) -> None:
    assert read(table, "赤い車") == "red car"
    assert read(table, "赤い車と猫") == "red car cat"
    assert read(table, "東") is None


@pytest.mark.parametrize("text", ["chat", "boot", "chat 2019", "the chat", "xyzzy", "dog"])
def test_a_word_that_is_also_english_is_taken_for_english(table: ForeignWords, text: str) -> None:
    assert read(table, text) is None


def test_unless_another_word_is_only_known_in_a_language_that_has_it(table: ForeignWords) -> None:
    assert read(table, "ein boot") == "boat"
    assert read(table, "chat eglise") == "cat church"
    assert read(table, "chat hund") == "chat dog", "a word of German says nothing of French"


def test_letters_that_english_lacks_decide_for_the_table(table: ForeignWords) -> None:
    assert read(table, "chat", is_english=False) == "cat"


def test_the_note_has_all_words_of_a_phrase() -> None:
    assert TextQuery.of("chat noir").understood_as == "black cat"
    assert TextQuery.of("coucher de soleil").understood_as == "sunset"


@pytest.mark.parametrize("text", ["und", "der die das", "\u00e9", "le", "a"])
def test_words_without_a_meaning_of_their_own_are_not_understood_as_nothing(text: str) -> None:
    query = TextQuery.of(text)
    assert query.understood_as is None
    assert query.terms


def test_an_inflected_english_word_loses_to_a_form_that_english_has_not() -> None:
    assert TextQuery.of("roter Hund").understood_as == "red dog"


# The table that is shipped -----------------------------------------------------------------------


@pytest.mark.parametrize(("text", "english"), [
    ("Katze", "cat"), ("oiseau", "bird"), ("perro", "dog"), ("spiaggia", "beach"),
    ("árvore", "tree"), ("fiets", "bicycle"), ("kościół", "church"), ("мост", "bridge"),
    ("猫", "cat"), ("桥", "bridge"),
])  # fmt: skip
def test_a_usual_noun_of_each_language_is_understood(text: str, english: str) -> None:
    query = TextQuery.of(text)
    assert query.understood_as == english
    assert query.unknown == ()
    assert query.direction is not None
    assert query.direction @ WORDS.vector(english) > 0.7


def test_accents_and_capitals_never_matter() -> None:
    plain, typed = TextQuery.of("arvore"), TextQuery.of("ÁRVORE")
    assert plain.understood_as == typed.understood_as
    assert (plain.classes == typed.classes).all()


def test_an_article_of_another_language_means_nothing() -> None:
    assert TextQuery.of("der Hund").understood_as == TextQuery.of("Hund").understood_as


def test_the_table_is_sorted_and_names_rows_of_the_english_table() -> None:
    table = known_foreign_words()
    assert len(table) > 20_000
    for word in ("hund", "猫", "собака"):
        entry = table.entry(word)
        assert entry is not None
        assert set(entry.words) <= set(ENGLISH)


@pytest.mark.parametrize("text", ["gift", "chat", "pain", "boot", "dog", "sunset over the sea"])
def test_english_stays_english(text: str) -> None:
    assert TextQuery.of(text).understood_as is None
