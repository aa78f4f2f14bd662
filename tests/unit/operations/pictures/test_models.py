"""Models listed, added and removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkup.embed.two_towers.hub import Hub
from bulkup.embed.two_towers.recipes import RECIPES
from bulkup.errors import UsageError
from bulkup.operations.pictures.models import (
    Added,
    add_clip,
    add_known_model,
    add_model,
    list_models,
    remove_model,
)
from tests.fakes.clip_models import write_models
from tests.fakes.model_folders import DATACOMP, SIGLIP, write_model_folder
from tests.servers.hub import ModelHub, running


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
    assert names(models) == ["efficientnet-lite0", "clip", "http", "siglip2", "datacomp"]
    assert list_models(str(models))[3].state == "not added: bulkup models add siglip2"
    assert source.is_dir()


def test_a_model_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    models = tmp_path / "models"
    add_model(write_model_folder(tmp_path / "old", version="1"), str(models))
    damaged = write_model_folder(tmp_path / "damaged", version="2")
    (damaged / "image.onnx").write_bytes(b"cut")
    with pytest.raises(UsageError, match="SHA-256"):
        add_model(damaged, str(models))
    assert list_models(str(models))[3].version == "1"
    add_model(write_model_folder(tmp_path / "new", version="3"), str(models))
    assert list_models(str(models))[3].version == "3"
    assert [one.name for one in models.iterdir()] == ["siglip2"]


def test_built_in_names_are_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="built in"):
        add_model(write_model_folder(tmp_path / "x", name="clip"), str(tmp_path / "models"))


def test_the_files_of_clip_are_downloaded_or_said_to_be_missing(tmp_path: Path) -> None:
    pytest.importorskip("fastembed")
    assert list_models(str(tmp_path))[1].state == "not downloaded: bulkup models add clip"
    write_models(tmp_path)
    assert list_models(str(tmp_path))[1].state == "ready"
    assert add_clip(str(tmp_path)).state == "ready", "nothing is asked for"


def test_only_added_models_are_removed(tmp_path: Path) -> None:
    for name in ("clip", "nothing", "../x", "."):
        with pytest.raises(UsageError, match="no added model"):
            remove_model(name, str(tmp_path))


def test_a_damaged_model_is_listed_with_its_fault(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path / "siglip2")
    (folder / "text.onnx").unlink()
    assert "lacks text.onnx" in list_models(str(tmp_path))[3].state


# Known models ------------------------------------------------------------------------------------


def exported(folder: Path, card: dict[str, Any] = SIGLIP) -> dict[str, bytes]:
    """The files of a repository, by path, with encoders of the model's shapes."""
    write_model_folder(folder, card)
    files = RECIPES[card["name"]].files
    return {path: (folder / name).read_bytes() for name, path in files.items()}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ModelHub]:
    repository = RECIPES["siglip2"].repository
    assert repository is not None
    with running(repository, exported(tmp_path / "export")) as server:
        yield server


def added(
    hub: ModelHub | None, models: Path, name: str = "siglip2", *, source: Path | None = None,
    revision: str | None = None,
) -> Added:  # fmt: skip
    client = Hub(hub.url if hub else "http://127.0.0.1:1", ca_bundle=None, environ={})
    return add_known_model(
        name, str(models), source=source, hub=client, revision=revision, report=lambda *_: None
    )


def test_a_known_model_comes_from_the_hub_once_and_is_pinned(hub: ModelHub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = added(hub, models)
    assert first.is_first
    assert first.pinned == hub.commit
    assert first.model.version.startswith("b-32-256.")
    assert [one.name for one in sorted(models.iterdir())] == ["pins.json", "siglip2"]
    assert list_models(str(models))[3].state == "ready"
    remove_model("siglip2", str(models))
    hub.asked.clear()
    again = added(hub, models)
    assert not again.is_first
    assert again.model == first.model
    assert all(hub.commit in one for one in hub.asked if "/resolve/" in one), "not main"


def test_other_bytes_than_the_pinned_ones_are_refused(hub: ModelHub, tmp_path: Path) -> None:
    models = tmp_path / "models"
    added(hub, models)
    hub.files = {path: body + b" " for path, body in hub.files.items()}
    with pytest.raises(UsageError, match="not the file that was downloaded first") as caught:
        added(hub, models)
    assert f"--revision {hub.commit}" in str(caught.value.hint)
    assert list_models(str(models))[3].state == "ready", "the old one stays"
    changed = added(hub, models, revision=hub.commit)
    assert changed.model.version != ""
    assert not added(hub, models).is_first


@pytest.mark.parametrize("card", [SIGLIP, DATACOMP])
def test_a_known_model_comes_from_a_directory(tmp_path: Path, card: dict[str, Any]) -> None:
    for path, body in exported(tmp_path / "x", card).items():
        target = tmp_path / "export" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    model = added(None, tmp_path / "models", card["name"], source=tmp_path / "export").model
    assert (model.name, model.dimension, model.state) == (card["name"], card["dimension"], "ready")
    assert (tmp_path / "export" / "visual" / "model.onnx").exists(), "copied, not moved"


def test_an_incomplete_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has neither visual/model"):
        added(None, tmp_path / "models", source=tmp_path)


def test_a_model_without_a_public_export_says_how_it_is_added(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no public ONNX export") as caught:
        added(None, tmp_path / "models", "datacomp")
    assert "--from" in str(caught.value.hint)


def test_damaged_pins_are_named(hub: ModelHub, tmp_path: Path) -> None:
    (tmp_path / "pins.json").write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        added(hub, tmp_path)
