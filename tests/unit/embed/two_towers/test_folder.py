"""Folders of models, and their cards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bulkup.embed.two_towers.folder import check_digests, model_folders, read_card
from bulkup.errors import EmbedderUnusable
from tests.fakes.model_folders import write_model_folder


def test_a_card_is_read(tmp_path: Path) -> None:
    card = read_card(write_model_folder(tmp_path / "siglip2"))
    assert (card.name, card.dimension, card.side, card.crop) == ("siglip2", 768, 256, "squeeze")
    check_digests(tmp_path / "siglip2", card)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "../evil", "is not made of"),
        ("name", "UPPER", "is not made of"),
        ("version", "", "version is empty"),
        ("dimension", 0, "dimension is not"),
        ("dimension", "many", "dimension is not"),
        ("side", 100_000, "side is not"),
        ("std", [1, 0, 1], "std has a 0"),
        ("mean", [1, 2], "expected 3"),
        ("crop", "left", "none of centre, squeeze"),
        ("prompt", "a photo", "needs {} once"),
        ("files", {"../../etc/passwd": "0" * 64}, "no plain name"),
        ("files", {"image.onnx": "0" * 64}, "files needs"),
        ("files", [], "not a model"),
    ],
)
def test_a_wrong_card_is_refused_by_its_key(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    folder = write_model_folder(tmp_path / "model")
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, key: value}))
    with pytest.raises(EmbedderUnusable, match=message):
        read_card(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "null", "{}"])
def test_what_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(EmbedderUnusable, match="not a model's card"):
        read_card(tmp_path)


def test_a_missing_and_a_changed_file_are_named(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path / "model")
    card = read_card(folder)
    with (folder / "text.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(EmbedderUnusable, match=r"text\.onnx is not the file of the card"):
        check_digests(folder, card)
    (folder / "image.onnx").unlink()
    with pytest.raises(EmbedderUnusable, match=r"lacks image\.onnx"):
        read_card(folder)


def test_packages_bring_models_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    write_model_folder(site / "some_model", name="some-model")
    (site / "some_model" / "__init__.py").write_text("raise RuntimeError('imported')")
    info = site / "some_model-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-model\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[bulkup.models]\nsome-model = some_model\nlost = no_such_module\n"
    )
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    found = model_folders(str(tmp_path / "nowhere"))
    assert found == {"some-model": site / "some_model"}
    write_model_folder(tmp_path / "models" / "some-model", name="some-model")
    found = model_folders(str(tmp_path / "models"))
    assert found == {"some-model": tmp_path / "models" / "some-model"}, "a folder comes first"
