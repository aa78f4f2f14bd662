"""ImageNet's classes: their names, and what a word covers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.embed.two_towers.labels import ModelLabel
from bulkup.search.label_vectors import COUNT, ClassLabels, known_classes
from bulkup.search.vocabulary import DATA, DIMENSION, known_words, unit

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


def test_the_version_changes_with_the_map_of_features(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(DATA, data, ignore=shutil.ignore_patterns("words*", "foreign*"))
    assert ClassLabels.read(data).version == CLASSES.version
    np.save(data / "features.npy", np.zeros((1280, DIMENSION), np.float16))
    assert ClassLabels.read(data).version != CLASSES.version


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


SCENES = ClassLabels.described(
    [
        ModelLabel(("meadows", "field"), ("land", "place"), ("cow", "spring")),
        ModelLabel(("ice cream shop",), ("shop", "place"), ("child", "street food")),
        ModelLabel(("zzyzx",)),
    ],
    known_words(),
)


def test_labels_of_another_model_are_called_by_base_forms_and_kinds() -> None:
    assert SCENES.called("meadow").tolist() == [True, False, False]
    assert SCENES.called("field").tolist() == [True, False, False]
    assert SCENES.called("place").tolist() == [True, True, False]
    assert SCENES.called("zzyzx").tolist() == [False, False, True]
    assert SCENES.mentioned("shop").tolist() == [False, True, False]
    assert SCENES.beside("cow").tolist() == [1, 0, 0]
    assert SCENES.names(0)[0] == "meadows"
    assert SCENES.kinds(1) == ("shop", "place")


def test_labels_of_another_model_have_vectors_of_their_words() -> None:
    assert SCENES.labels.shape == (len(SCENES), DIMENSION)
    grass = known_words().vector("grass")
    assert int((SCENES.labels @ grass).argmax()) == 0
    assert SCENES.version != CLASSES.version


def test_the_kept_background_is_the_computed_one() -> None:
    computed = CLASSES.counted_background(known_words())
    for kept, made in zip(CLASSES.background, computed, strict=True):
        assert kept == pytest.approx(made, abs=1e-3)


def test_labels_of_another_model_may_all_be_unknown() -> None:
    nothing = ClassLabels.described([ModelLabel(("zzyzx",))], known_words())
    assert not nothing.background.direction.any()
    assert not nothing.labels.any()
