"""The models that can embed: listed, added from a folder, removed."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from bulkup.embed.open import EMBEDDERS
from bulkup.embed.two_towers.folder import CARD, check_digests, model_folders, read_card
from bulkup.errors import EmbedderUnusable, UsageError
from bulkup.installation import extra_command


class Model(NamedTuple):
    """A model by name. `state` is "ready", or why it is not; `place` a folder or "built in"."""

    name: str
    version: str
    dimension: int | None
    license: str
    place: str
    state: str = "ready"


def list_models(directory: str) -> list[Model]:
    """All that `--model` takes: the built-in ones, then folders and packages."""
    clip = "ready" if find_spec("fastembed") else f"needs {extra_command('clip')}"
    found = [
        Model(EMBEDDERS[0], "", 1280, "Apache-2.0", "built in"),
        Model(EMBEDDERS[1], "", 512, "MIT", "built in", clip),
        Model(EMBEDDERS[2], "", None, "", "a service"),
    ]
    for name, folder in model_folders(directory).items():
        try:
            card = read_card(folder)
        except EmbedderUnusable as error:
            found.append(Model(name, "", None, "", str(folder), str(error)))
        else:
            found.append(
                Model(
                    name,
                    card.version,
                    card.dimension,
                    card.license,
                    str(folder),
                    _state(name, card.name),
                )
            )
    return found


def _state(name: str, said: str) -> str:
    return "ready" if name == said else f"its card names it {said}"


def add_model(source: Path, directory: str) -> Model:
    """Copy the model in the folder `source` to `directory`, after its digests were compared.

    A model of the same name is replaced. Raises UsageError for a folder that is no model, and for
    the name of a built-in one.
    """
    try:
        return _added(source, directory)
    except EmbedderUnusable as error:
        raise UsageError(str(error), hint=error.hint) from error


def _added(source: Path, directory: str) -> Model:
    card = read_card(source)
    if card.name in EMBEDDERS:
        raise UsageError(
            f"{card.name} is built in", hint='Choose another "name" in its model.json.'
        )
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    copy = Path(mkdtemp(prefix=".adding-", dir=root))
    try:
        for name in (CARD, *card.files):
            shutil.copyfile(source / name, copy / name)
        check_digests(copy, card)
        target = root / card.name
        if target.exists():
            shutil.rmtree(target)
        os.rename(copy, target)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    return Model(card.name, card.version, card.dimension, card.license, str(target))


def remove_model(name: str, directory: str) -> Path:
    """Remove the folder of an added model. Vectors in manifests stay. Raises UsageError."""
    folder = model_folders(directory).get(name)
    if folder is None:
        raise UsageError(f"no added model is named {name!r}", hint="bulkup models lists them.")
    if folder.parent != Path(directory):
        raise UsageError(f"{name} belongs to a package in {folder}", hint="Uninstall the package.")
    shutil.rmtree(folder)
    return folder
