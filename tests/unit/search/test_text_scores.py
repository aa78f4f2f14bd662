"""Words to scores: by what a classifier saw, and by what is said literally."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.words import embedded, label_queries, measure
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bulkup.embed.weights import installed_weights
from bulkup.errors import WordsUnknown
from bulkup.search.label_vectors import COUNT, known_classes
from bulkup.search.literal_match import Described
from bulkup.search.text_scores import (
    DIMENSION,
    KEPT,
    LITERAL,
    ROW,
    UNSEEN,
    Floats,
    TextQuery,
    picture_rows,
    picture_vectors,
    ranked,
    row_scores,
    rows_version,
)
from bulkup.search.texts import matches
from bulkup.search.vocabulary import unit

Numbers = NDArray[np.uint16]


def scores(query: TextQuery, numbers: Numbers, probabilities: NDArray[np.floating]) -> Floats:
    return row_scores(query, picture_rows(numbers, probabilities))


TABBY, SPORTS_CAR, DAISY, PIZZA, STOCKING = 281, 817, 985, 963, 496

seen = st.lists(
    st.tuples(
        st.lists(st.integers(0, COUNT - 1), min_size=KEPT, max_size=KEPT, unique=True),
        st.lists(st.floats(0.0009765625, 0.05078125, width=32), min_size=KEPT, max_size=KEPT),
    ),
    min_size=1,
    max_size=5,
)


def pictures(*numbers: int) -> tuple[Numbers, Floats]:
    """One picture for each class, that the classifier is rather sure of."""
    rest = [5, 6, 7]
    return (
        np.array([[number, *rest] for number in numbers], np.uint16),
        np.array([[0.8, 0.05, 0.01, 0.01]] * len(numbers), np.float32),
    )


def best(text: str, *numbers: int) -> int:
    return numbers[int(scores(TextQuery.of(text), *pictures(*numbers)).argmax())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tabby", TABBY),
        ("kittens", TABBY),
        ("feline", TABBY),
        ("a photo of a cat", TABBY),
        ("Ferrari", SPORTS_CAR),
        ("vehicles", SPORTS_CAR),
        ("meadow", DAISY),
        ("italian food", PIZZA),
    ],
)
def test_the_picture_that_is_meant_comes_first(text: str, expected: int) -> None:
    assert best(text, TABBY, SPORTS_CAR, DAISY, PIZZA) == expected


def test_words_that_say_nothing_change_nothing() -> None:
    plain, wordy = TextQuery.of("cat"), TextQuery.of("Show me a photo of the cat!")
    assert plain.terms == wordy.terms
    assert np.array_equal(
        scores(plain, *pictures(TABBY, PIZZA)), scores(wordy, *pictures(TABBY, PIZZA))
    )


def test_words_that_say_nothing_are_looked_for_when_there_are_no_others() -> None:
    assert TextQuery.of("photo").parts[0].words == ("photo",)


def test_a_word_and_its_plural_mean_the_same() -> None:
    one, many = (scores(TextQuery.of(text), *pictures(TABBY)) for text in ("cat", "cats"))
    assert np.array_equal(one, many)


@given(seen)
def test_vectors_are_1_long_and_meanings_stay_below_a_literal_match(
    found: list[tuple[list[int], list[float]]],
) -> None:
    numbers = np.array([row for row, _ in found], np.uint16)
    probabilities = np.array([row for _, row in found], np.float32)
    vectors = picture_vectors(numbers, probabilities)
    assert vectors.shape == (len(found), DIMENSION)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    meanings = scores(TextQuery.of("animal"), numbers, probabilities)
    assert meanings.dtype == np.float32
    assert (meanings > UNSEEN).all()
    assert meanings.max() - UNSEEN < LITERAL


@given(seen)
def test_the_order_of_a_pictures_classes_does_not_matter(
    found: list[tuple[list[int], list[float]]],
) -> None:
    numbers = np.array([row for row, _ in found], np.uint16)
    probabilities = np.array([row for _, row in found], np.float32)
    query = TextQuery.of("dog on grass")
    turned = scores(query, numbers[:, ::-1], probabilities[:, ::-1])
    assert np.allclose(scores(query, numbers, probabilities), turned, atol=1e-5)


def test_rows_hold_all_that_a_search_needs() -> None:
    rows = picture_rows(*pictures(TABBY, PIZZA))
    assert rows.shape == (2, ROW)
    assert rows.dtype == np.float32
    assert np.array_equal(rows[:, :DIMENSION], picture_vectors(*pictures(TABBY, PIZZA)))


def test_the_version_of_rows_names_the_labels_they_were_made_of() -> None:
    assert rows_version() == rows_version()
    assert known_classes().version in rows_version()


def test_features_lead_to_words_where_the_classes_say_nothing() -> None:
    weights = installed_weights()["_fc.weight"]
    features = unit(weights[[DAISY, SPORTS_CAR, TABBY]] - weights.mean(axis=0))
    same = np.full((3, 1), STOCKING, np.uint16), np.full((3, 1), 0.05, np.float32)
    rows = picture_rows(*same, features=features)
    for place, text in enumerate(("flower", "vehicle", "cat")):
        assert int(row_scores(TextQuery.of(text), rows).argmax()) == place
    assert np.allclose(np.linalg.norm(rows[:, :DIMENSION], axis=1), 1, atol=1e-5)


def test_every_number_of_a_class_survives_its_row() -> None:
    numbers = np.arange(COUNT, dtype=np.uint16)[:, None]
    rows = picture_rows(numbers, np.ones_like(numbers, np.float32))
    query = TextQuery.of("animal")
    evidence = row_scores(query, rows) + rows[:, -1] - rows[:, :DIMENSION] @ query.direction
    assert np.allclose(evidence, 0.2 * query.classes + 0.3 * query.beside, atol=1e-5)


def test_a_picture_that_is_near_to_every_word_loses_half_of_what_it_reaches_on_average() -> None:
    rows = picture_rows(np.arange(COUNT)[:, None], np.ones((COUNT, 1), np.float32))
    words = sorted(known_classes().context_words())[::5]
    raw = [row_scores(TextQuery.of(word), rows) + rows[:, -1] for word in words]
    assert np.corrcoef(np.mean(raw, axis=0), rows[:, -1])[0, 1] > 0.9
    assert np.allclose(np.mean(raw, axis=0) / 2, rows[:, -1], atol=0.05)


def test_what_usually_stands_beside_a_thing_counts_like_a_weak_name_of_it() -> None:
    query = TextQuery.of("fireplaces")
    assert query.beside[STOCKING] == 1
    assert query.classes[STOCKING] == 0
    assert best("fireplace", STOCKING, PIZZA) == STOCKING


def test_a_picture_without_classes_comes_last_and_is_no_hit() -> None:
    numbers, probabilities = pictures(TABBY, PIZZA)
    probabilities[0] = 0
    query = TextQuery.of("cat")
    meanings = scores(query, numbers, probabilities)
    assert meanings[0] == UNSEEN
    assert [hit.place for hit in ranked(query, meanings, np.zeros(2, int), 10)] == [1]


def test_no_pictures_give_no_hits() -> None:
    query = TextQuery.of("cat")
    none = np.empty((0, KEPT))
    assert ranked(query, scores(query, none.astype(np.uint16), none), np.zeros(0, int), 9) == []


def hits(text: str, *described: Described, limit: int = 10) -> list[int]:
    """Places, best first, of a cat, a car and a daisy (and so on) that are `described` so."""
    query = TextQuery.of(text)
    classes = (TABBY, SPORTS_CAR, DAISY)[: len(described)]
    found = scores(query, *pictures(*classes))
    return [hit.place for hit in ranked(query, found, matches(query.terms, described), limit)]


def test_a_literal_match_comes_first_and_meaning_orders_the_rest() -> None:
    named = Described("red car/3.jpg")
    assert hits("car", Described("1.jpg"), Described("2.jpg"), named)[:2] == [2, 1]
    assert hits("car", Described("1.jpg"), Described("2.jpg"), Described("3.jpg"))[0] == 1


def test_more_literal_matches_come_before_fewer() -> None:
    described = [Described("canon/1.jpg"), Described("canon eos/2.jpg"), Described("3.jpg")]
    assert hits("canon eos", *described)[:2] == [1, 0]


def test_a_year_chooses_and_a_word_orders() -> None:
    old, new = "2018-01-01T00:00:00", "2019-01-01T00:00:00"
    described = [Described(f"{n}.jpg", taken_at=at) for n, at in enumerate((old, new, new))]
    assert hits("flower 2019", *described) == [2, 1, 0]


def test_a_date_alone_finds_its_pictures_only() -> None:
    taken = [Described("1.jpg", taken_at="2019-05-01T00:00:00"), Described("2.jpg")]
    assert hits("may 2019", *taken) == [0]
    assert hits("may 2020", *taken) == []


def test_a_word_that_only_a_path_knows_finds_that_picture_only() -> None:
    assert hits("xyzzy", Described("1.jpg"), Described("Xyzzy/2.jpg")) == [1]


def test_an_unknown_word_gives_no_random_pictures() -> None:
    with pytest.raises(WordsUnknown, match=r"unknown word 'elephannt'; nearest known: .*elephant"):
        hits("elephannt", Described("1.jpg"), Described("2.jpg"))
    with pytest.raises(WordsUnknown) as caught:
        hits("xyzzy qwxqwx", Described("1.jpg"))
    assert caught.value.unknown == ("xyzzy", "qwxqwx")


def test_a_long_unknown_word_is_cut_in_the_message() -> None:
    with pytest.raises(WordsUnknown) as caught:
        hits("x" * 900, Described("1.jpg"))
    assert len(str(caught.value)) < 100
    assert "other languages" in str(caught.value.hint)


def test_an_unknown_word_beside_a_known_one_is_told_and_left_out() -> None:
    query = TextQuery.of("cat xyzzy")
    assert query.unknown == ("xyzzy",)
    assert hits("cat xyzzy", Described("1.jpg"), Described("2.jpg")) == [0, 1]


@pytest.mark.parametrize("text", ["", "  ", "?!", "…"])
def test_signs_alone_are_nothing_to_look_for(text: str) -> None:
    with pytest.raises(WordsUnknown, match="nothing to look for"):
        TextQuery.of(text)


@given(st.text(min_size=1, max_size=30))
def test_any_text_is_a_query_or_unknown(text: str) -> None:
    try:
        query = TextQuery.of(text)
    except WordsUnknown:
        return
    assert query.terms
    assert (query.direction is None) == all(not part.words for part in query.parts)


def test_the_limit_holds_and_equals_keep_their_order() -> None:
    query = TextQuery.of("cat")
    found = scores(query, *pictures(TABBY, TABBY, TABBY))
    assert [hit.place for hit in ranked(query, found, np.zeros(3, int), 2)] == [0, 1]


@pytest.mark.corpus
def test_words_find_the_photos_that_are_labelled_with_them(corpus: Path) -> None:
    """Every label of the corpus as a query, through the real decoder and the real embedder."""
    photos = embedded(corpus, "preview", thorough=False)
    quality = measure(photos, label_queries(photos), all_of=False)
    assert quality.hit_at_1 >= 0.60
    assert quality.hit_at_3 >= 0.72
    assert quality.mrr >= 0.68
