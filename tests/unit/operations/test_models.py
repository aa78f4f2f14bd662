"""Models listed, added and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.errors import UsageError
from bulkup.operations.models import add_model, list_models, remove_model
from tests.fakes.model_folders import write_model_folder


def names(directory: Path) -> list[str]:
    return [model.name for model in list_models(str(directory))]


def test_a_folder_is_added_listed_and_removed(tmp_path: Path) -> None:
    source, models = write_model_folder(tmp_path / "download"), tmp_path / "models"
    (source / "README.md").write_text("not of the card")
    added = add_model(source, str(models))
    assert (added.name, added.dimension, added.state) == ("siglip2", 768, "ready")
    assert added in list_models(str(models))
    kept = sorted(one.name for one in (models / "siglip2").iterdir())
    assert kept == ["image.onnx", "model.json", "text.onnx", "tokenizer.json"]
    remove_model("siglip2", str(models))
    assert names(models) == ["efficientnet-lite0", "clip", "http"]
    assert source.is_dir()


def test_a_model_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    models = tmp_path / "models"
    add_model(write_model_folder(tmp_path / "old", version="1"), str(models))
    damaged = write_model_folder(tmp_path / "damaged", version="2")
    (damaged / "image.onnx").write_bytes(b"cut")
    with pytest.raises(UsageError, match="SHA-256"):
        add_model(damaged, str(models))
    assert [model.version for model in list_models(str(models))[3:]] == ["1"]
    add_model(write_model_folder(tmp_path / "new", version="3"), str(models))
    assert [model.version for model in list_models(str(models))[3:]] == ["3"]
    assert [one.name for one in models.iterdir()] == ["siglip2"]


def test_built_in_names_are_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="built in"):
        add_model(write_model_folder(tmp_path / "x", name="clip"), str(tmp_path / "models"))


def test_only_added_models_are_removed(tmp_path: Path) -> None:
    for name in ("clip", "nothing", "../x", "."):
        with pytest.raises(UsageError, match="no added model"):
            remove_model(name, str(tmp_path))


def test_a_damaged_model_is_listed_with_its_fault(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path / "siglip2")
    (folder / "text.onnx").unlink()
    assert "lacks text.onnx" in list_models(str(tmp_path))[-1].state
