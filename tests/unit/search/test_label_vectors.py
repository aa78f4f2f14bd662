"""ImageNet's classes: their names, and what a word covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.search.label_vectors import COUNT, known_classes
from bulkup.search.vocabulary import DIMENSION, known_words, unit

CLASSES = known_classes()
TABBY, GOLDFISH, CRANE_BIRD, CRANE_MACHINE, GREY_WHALE = 281, 1, 134, 517, 147


def numbers(word: str) -> set[int]:
    return set(np.flatnonzero(CLASSES.called(word)).tolist())


def test_classes_are_in_the_order_of_ilsvrc_2012() -> None:
    assert CLASSES.names(0)[0] == "tench"
    assert CLASSES.names(TABBY) == ("tabby", "tabby cat")
    assert CLASSES.names(999)[0] == "toilet tissue"


def test_kinds_go_from_near_to_far() -> None:
    kinds = CLASSES.kinds(TABBY)
    assert kinds[0] == "domestic cat"
    assert kinds.index("feline") < kinds.index("animal") < kinds.index("entity")


def test_a_kind_covers_its_classes() -> None:
    assert numbers("goldfish") == {GOLDFISH}
    assert TABBY in numbers("cat") < numbers("feline") < numbers("mammal") < numbers("animal")
    assert GOLDFISH not in numbers("mammal")


def test_a_name_counts_in_every_sense_and_an_instance_in_none() -> None:
    assert numbers("crane") == {CRANE_BIRD, CRANE_MACHINE}  # first sense in WordNet: a writer
    assert GREY_WHALE in numbers("whale")  # first sense: a person


def test_a_word_that_is_no_class_covers_none() -> None:
    assert numbers("meadow") == set()
    assert numbers("xyzzy") == set()


def test_a_word_of_a_name_or_a_definition_is_mentioned() -> None:
    mentioning = {CLASSES.names(int(n))[0] for n in np.flatnonzero(CLASSES.mentioned("beer"))}
    assert {"beer bottle", "beer glass"} <= mentioning
    assert len(mentioning) < 10


def test_labels_are_taken_from_their_mean() -> None:
    assert CLASSES.labels.shape == (COUNT, DIMENSION)
    assert np.abs(CLASSES.labels.mean(axis=0)).max() < 1e-3


@given(st.integers(0, COUNT - 1))
def test_every_class_is_called_by_each_of_its_names_and_kinds_nearest(number: int) -> None:
    for name in CLASSES.names(number):
        assert number in numbers(name.lower())


@pytest.mark.parametrize("word", ["goldfish", "teapot", "volcano", "banana", "violin"])
def test_a_word_lies_nearest_to_the_class_it_names(word: str) -> None:
    likeness = unit(CLASSES.labels) @ known_words().vector(word)
    assert word in CLASSES.names(int(likeness.argmax()))
