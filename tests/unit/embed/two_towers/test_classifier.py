"""Models that name what they see: their labels, and what becomes of their scores."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bulkup.embed.embedder import Embedded
from bulkup.embed.two_towers.classifier import FolderClassifier
from bulkup.embed.two_towers.folder import labels_of, read_card
from bulkup.embed.two_towers.labels import ModelLabel, read_labels
from bulkup.errors import EmbedderUnusable
from tests.fakes.model_folders import write_labelling_folder, write_model_folder

RED, GREEN, BLUE = range(3)


def picture(colour: str) -> bytes:
    body = BytesIO()
    Image.new("RGB", (80, 60), colour).save(body, "JPEG")
    return body.getvalue()


def embedded(folder: Path, colour: str) -> Embedded:
    async def one() -> Embedded:
        embedder = FolderClassifier(folder)
        try:
            (found,) = await embedder.embed([picture(colour)])
        finally:
            await embedder.close()
        assert isinstance(found, Embedded)
        return found

    return asyncio.run(one())


def test_labels_are_names_or_have_kinds_and_context(tmp_path: Path) -> None:
    folder = write_labelling_folder(
        tmp_path / "scenes", ["ice_cream", {"names": ["a", "b"], "kinds": ["c"]}]
    )
    assert read_labels(folder) == [ModelLabel(("ice cream",)), ModelLabel(("a", "b"), ("c",))]
    assert labels_of(write_model_folder(tmp_path / "towers")) == []


@pytest.mark.parametrize(
    "labels",
    [{}, [], [1], [""], ["_"], [{}], [{"names": []}], [{"names": "cat"}], [{"names": [1]}],
     [{"names": ["cat"], "kinds": ["x" * 300]}], [{"names": ["cat"], "context": [None]}]],
)  # fmt: skip
def test_wrong_labels_are_refused(tmp_path: Path, labels: Any) -> None:
    folder = write_labelling_folder(tmp_path / "scenes", labels)
    with pytest.raises(EmbedderUnusable, match="no list of labels"):
        FolderClassifier(folder)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid", "probability"])
def test_the_best_label_comes_first_with_its_probability(tmp_path: Path, scores: str) -> None:
    folder = write_labelling_folder(tmp_path / "scenes", scores=scores)
    for colour, number in (("#ff2000", RED), ("#10ff00", GREEN), ("#0010ff", BLUE)):
        classes = embedded(folder, colour).classes
        assert classes is not None
        assert classes.numbers[0] == number
        assert all(0 <= probability <= 1 for probability in classes.probabilities)
        assert classes.probabilities[0] > 0.9


def test_a_card_says_what_makes_probabilities(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnusable, match="none of softmax, sigmoid, probability"):
        read_card(write_labelling_folder(tmp_path / "scenes", scores="logits"))
    card = json.loads((tmp_path / "scenes" / "model.json").read_text())
    del card["scores"]
    (tmp_path / "scenes" / "model.json").write_text(json.dumps(card))
    with pytest.raises(EmbedderUnusable, match="scores"):
        read_card(tmp_path / "scenes")


def test_more_labels_than_scores_are_refused(tmp_path: Path) -> None:
    folder = write_labelling_folder(tmp_path / "scenes", ["a", "b", "c", "d"])
    with pytest.raises(EmbedderUnusable, match="no output of 4 numbers"):
        embedded(folder, "red")
