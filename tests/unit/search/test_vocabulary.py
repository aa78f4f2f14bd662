"""The table of words: what is known, what a form is a form of, what is near."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkup.search.vocabulary import DATA, DIMENSION, QueryPart, Words, known_words, unit

WORDS = known_words()


def likeness(first: str, second: str) -> float:
    return float(WORDS.vector(first) @ WORDS.vector(second))


def only_part(*typed: str) -> QueryPart:
    (part,) = WORDS.read(typed)
    return part


def test_the_table_is_sorted_and_has_a_row_for_each_word() -> None:
    assert all(first < second for first, second in pairwise(WORDS))
    assert np.load(DATA / "words.npy", mmap_mode="r").shape == (len(WORDS), DIMENSION)


def test_the_data_fits_into_9_mb() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) <= 9_100_000


@given(st.sampled_from(list(WORDS)))
def test_every_word_is_its_own_base_and_has_a_vector_of_length_1(word: str) -> None:
    assert word in WORDS
    assert WORDS.base(word) == word
    assert np.linalg.norm(WORDS.vector(word)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("cat", "kitten", "bridge"),
        ("automobile", "car", "flower"),
        ("ocean", "sea", "chair"),
        ("ferrari", "car", "salad"),
    ],
)
def test_words_that_mean_nearly_the_same_are_near(word: str, near: str, far: str) -> None:
    assert likeness(word, near) > likeness(word, far) + 0.2


def test_an_unknown_word_has_no_vector() -> None:
    assert "xyzzy" not in WORDS
    with pytest.raises(KeyError):
        WORDS.vector("xyzzy")


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("cats", "cat"),
        ("churches", "church"),
        ("boxes", "box"),
        ("daisies", "daisy"),
        ("firemen", "fireman"),
        ("mice", "mouse"),
        ("knives", "knife"),
        ("cacti", "cactus"),
        ("photographed", "photograph"),
        ("fluffiest", "fluffy"),
        ("redder", "red"),
        ("glasses", "glasses"),  # spectacles: a word of its own
        ("easter", "easter"),  # no form of 'east'
        ("cafés", "cafe"),
        ("colder", "cold"),
        ("mer", None),  # a sea; 'me' has no comparative
        ("xyzzies", None),
    ],
)
def test_a_form_is_taken_back_to_its_base(form: str, base: str | None) -> None:
    assert WORDS.base(form) == base


@pytest.mark.parametrize("typed", [("hot", "dog"), ("hotdog",), ("hot-dog",), ("hot", "dogs")])
def test_a_compound_is_one_word_however_it_is_written(typed: tuple[str, ...]) -> None:
    part = only_part(*typed)
    assert part.words in [("hot dog",), ("hotdog",)]
    assert likeness(part.words[0], "hot dog") > 0.8


def test_the_longest_name_is_taken_and_the_rest_read_on() -> None:
    assert [part.typed for part in WORDS.read(["red", "statue", "of", "liberty", "garden"])] == [
        "red",
        "statue of liberty",
        "garden",
    ]


def test_a_compound_that_no_list_has_is_read_by_its_halves() -> None:
    assert only_part("mountainbikes").words in [("mountain bike",), ("mountain", "bike")]
    assert only_part("xyzzybike").words == ()


def test_words_passed_over_are_no_parts_but_may_be_in_a_name() -> None:
    passed_over = frozenset({"of", "the", "a"})
    parts = WORDS.read(["a", "statue", "of", "liberty", "of", "the", "cat"], passed_over)
    assert [part.typed for part in parts][-1] == "cat"
    assert not {"a", "of", "the"} & {part.typed for part in parts}


@given(st.lists(st.text("abcdefgiorst'-", min_size=1, max_size=12), max_size=6))
def test_nothing_that_was_typed_is_lost_or_said_twice(typed: list[str]) -> None:
    parts = WORDS.read(typed)
    assert " ".join(part.typed for part in parts) == " ".join(typed)
    assert all(word in WORDS for part in parts for word in part.words)


@pytest.mark.parametrize(
    ("wrong", "meant"), [("elefant", "elephant"), ("flwoer", "flower"), ("skyscaper", "skyscraper")]
)
def test_a_misspelt_word_has_the_right_one_among_its_nearest(wrong: str, meant: str) -> None:
    assert meant in WORDS.nearest(wrong)


@settings(max_examples=40)
@given(st.text(max_size=20), st.integers(1, 5))
def test_the_nearest_are_known_and_no_more_than_asked_for(word: str, count: int) -> None:
    nearest = WORDS.nearest(word, count)
    assert len(nearest) <= count
    assert all(near in WORDS for near in nearest)


def test_two_tables_do_not_share_anything() -> None:
    assert np.array_equal(Words(DATA).vector("cat"), WORDS.vector("cat"))


def test_unit_leaves_zero_alone() -> None:
    rows = unit(np.array([[3, 4], [0, 0]], np.float32))
    assert np.allclose(rows, [[0.6, 0.8], [0, 0]])
