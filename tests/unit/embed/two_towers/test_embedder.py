"""Models of a folder: what they do beside what every embedder does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bulkup.embed.embedder import Embedded
from bulkup.embed.two_towers.embedder import TwoTowers
from bulkup.errors import EmbedderUnusable
from tests.fakes.model_folders import DATACOMP, SIGLIP, write_model_folder
from tests.unit.content.picture.made import saved, scene


@pytest.mark.parametrize("card", [SIGLIP, DATACOMP], ids=lambda card: card["name"])
async def test_words_and_pictures_have_vectors_of_one_space(tmp_path: Path, card) -> None:
    embedder = TwoTowers(write_model_folder(tmp_path / "model", card))
    cat, dog, again = [await embedder.embed_text(text) for text in ("a cat", "a dog", "a cat")]
    (picture,) = await embedder.embed([saved(scene())])
    await embedder.close()
    assert isinstance(picture, Embedded)
    assert cat.shape == picture.vector.shape == (card["dimension"],)
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-5)
    assert (cat == again).all()
    assert not np.allclose(cat, dog, atol=1e-5)


async def test_a_squeezed_picture_shows_its_edges_and_a_centred_one_does_not(
    tmp_path: Path,
) -> None:
    middle = Image.new("RGB", (600, 200), "black")
    edges = middle.copy()
    edges.paste("white", (0, 0, 100, 200))
    bodies = [saved(middle), saved(edges)]
    for crop, is_same in (("centre", True), ("squeeze", False)):
        embedder = TwoTowers(write_model_folder(tmp_path / crop, crop=crop))
        one, other = await embedder.embed(bodies)
        await embedder.close()
        assert isinstance(one, Embedded)
        assert isinstance(other, Embedded)
        assert bool(one.vector @ other.vector > 0.999) is is_same


async def test_a_long_text_is_cut(tmp_path: Path) -> None:
    embedder = TwoTowers(write_model_folder(tmp_path / "model"))
    assert (await embedder.embed_text("cat " * 1000)).shape == (768,)
    await embedder.close()


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx", "tokenizer.json"])
async def test_a_file_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    folder = write_model_folder(tmp_path / "model")
    (folder / name).write_bytes(b"nonsense")
    embedder = TwoTowers(folder)
    is_image = name == "image.onnx"
    work = embedder.embed([saved(scene())]) if is_image else embedder.embed_text("a cat")
    with pytest.raises(EmbedderUnusable, match=f"{name} cannot be loaded"):
        await work
    await embedder.close()


async def test_vectors_of_another_length_than_the_card_says_are_refused(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path / "model")
    card = (folder / "model.json").read_text()
    (folder / "model.json").write_text(card.replace('"dimension": 768', '"dimension": 512'))
    embedder = TwoTowers(folder)
    with pytest.raises(EmbedderUnusable, match="one vector of 512"):
        await embedder.embed([saved(scene())])
    await embedder.close()
