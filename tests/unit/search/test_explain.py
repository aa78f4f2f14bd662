"""Why a picture is a hit."""

from __future__ import annotations

import numpy as np
import pytest

from bulkup.search.explain import explained
from bulkup.search.literal_match import Described
from bulkup.search.text_scores import TextQuery, picture_rows

RESTAURANT, TABBY, PIER, STAGE = 762, 281, 718, 819


NAMELESS = Described("1.jpg")


def why(text: str, picture: Described = NAMELESS, **seen: float) -> list[str]:
    numbers = {"restaurant": RESTAURANT, "tabby": TABBY, "pier": PIER, "stage": STAGE}
    row = picture_rows(
        np.array([[numbers[name] for name in seen]], np.uint16),
        np.array([list(seen.values())], np.float32),
    )[0]
    return list(explained(TextQuery.of(text), row, picture))


def test_what_was_seen_is_named_with_its_share() -> None:
    assert why("cats", tabby=0.5, pier=0.01)[0] == "shows 'cats': tabby 50 %"


def test_what_is_often_beside_a_thing_is_called_so() -> None:
    assert why("evening", restaurant=0.3, tabby=0.2)[0] == (
        "'evening' is often beside restaurant 30 %"
    )


def test_a_word_of_a_definition_is_no_name() -> None:
    assert why("people", stage=0.6)[0] == "'people' is in the definition of stage 60 %"


def test_the_classes_that_are_alike_in_meaning_are_named() -> None:
    last = why("seaside", pier=0.4, tabby=0.3)[-1]
    assert last.startswith("alike in meaning: pier 40 %")


@pytest.mark.parametrize(
    ("text", "picture", "reason"),
    [
        ("boat", Described("2019/boats.jpg"), "'boat' is in the path"),
        ("canon", Described("Canon/1.jpg", camera="Canon S40"),
         "'canon' is in the path and the camera's name"),
        ("dhow", Described("1.jpg", words="dhow sea"),
         "'dhow' is in the title, description or keywords"),
        ("may 2019", Described("1.jpg", taken_at="2019-05-17"), "2019-05 is in the date"),
        ("2019", Described("1.jpg", taken_at="2019-05-17"), "2019 is in the date"),
    ],
)  # fmt: skip
def test_words_that_stand_somewhere_are_found_there(
    text: str, picture: Described, reason: str
) -> None:
    assert why(text, picture, tabby=0.1)[0] == reason


def test_an_unknown_word_has_no_other_reason() -> None:
    assert why("xyzzy", Described("xyzzy.jpg"), tabby=0.9) == ["'xyzzy' is in the path"]
