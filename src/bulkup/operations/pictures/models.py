"""The models that can embed: listed, added from a folder or by name, removed.

A model by name is made by its recipe (bulkup.embed.two_towers.recipes), from a hub once or from a
directory. bulkup publishes no digests of its own for these: the first download is trusted, after
the hub's digests, and the commit and the SHA-256 of its files are kept in pins.json. Whoever adds
the model again gets the same bytes or an error. A new revision is pinned again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, NamedTuple

from bulkup.embed.open import EMBEDDERS
from bulkup.embed.two_towers.folder import (
    CARD,
    IMAGE,
    ModelCard,
    check_digests,
    model_folders,
    read_card,
)
from bulkup.embed.two_towers.hub import Hub
from bulkup.embed.two_towers.recipes import RECIPES, Recipe
from bulkup.errors import EmbedderUnusable, UsageError
from bulkup.installation import extra_command

PINS: Final = "pins.json"
PUBLIC_HUB: Final = "https://huggingface.co"
_FETCHING: Final = ".fetching-"


class Model(NamedTuple):
    """A model by name. `state` is "ready", or why it is not; `place` a folder or "built in"."""

    name: str
    version: str
    dimension: int | None
    license: str
    place: str
    state: str = "ready"


class Added(NamedTuple):
    """The model, and what is pinned of it: the commit, or where it is from."""

    model: Model
    pinned: str
    is_first: bool  # nothing was pinned before


def list_models(directory: str) -> list[Model]:
    """All that `--model` takes: the built-in ones, then folders and packages."""
    found = [
        Model(EMBEDDERS[0], "", 1280, "Apache-2.0", "built in"),
        _clip(directory),
        Model(EMBEDDERS[2], "", None, "", "a service"),
    ]
    for name, folder in model_folders(directory).items():
        try:
            card = read_card(folder)
        except EmbedderUnusable as error:
            found.append(Model(name, "", None, "", str(folder), str(error)))
        else:
            state = "ready" if name == card.name else f"its card names it {card.name}"
            found.append(_model(card, folder)._replace(name=name, state=state))
    return [*found, *_not_added({model.name for model in found})]


def _clip(directory: str) -> Model:
    from bulkup.embed.clip import DIMENSION, NAME, is_downloaded

    state = "ready"
    if not find_spec("fastembed"):
        state = f"needs {extra_command('clip')}"
    elif not is_downloaded(directory):
        state = f"not downloaded: bulkup models add {NAME}"
    return Model(NAME, "", DIMENSION, "MIT", "built in", state)


def add_clip(directory: str) -> Model:
    """Download the files of `clip`, unless they are there. Raises EmbedderUnusable."""
    from bulkup.embed.clip import download

    download(directory)
    return _clip(directory)


def _model(card: ModelCard, folder: Path) -> Model:
    return Model(card.name, card.version, card.dimension, card.license, str(folder))


def _not_added(names: set[str]) -> Iterator[Model]:
    for name, recipe in RECIPES.items():
        if name not in names:
            said, how = recipe.card, "" if recipe.repository else " --from DIRECTORY"
            state = f"not added: bulkup models add {name}{how}"
            yield Model(
                name, said["version"], said["dimension"], said["license"], recipe.about, state
            )


@contextmanager
def _new_folder(directory: str, name: str) -> Iterator[Path]:
    """A folder to fill; it becomes the model's when nothing was raised."""
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(prefix=".adding-", dir=root))
    try:
        yield made
        if (root / name).exists():
            shutil.rmtree(root / name)
        os.rename(made, root / name)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def add_model(source: Path, directory: str) -> Model:
    """Copy the model in the folder `source` to `directory`, after its digests were compared.

    A model of the same name is replaced. Raises UsageError for a folder that is no model, and for
    the name of a built-in one.
    """
    try:
        card = read_card(source)
        if card.name in EMBEDDERS:
            raise UsageError(
                f"{card.name} is built in", hint='Choose another "name" in its model.json.'
            )
        with _new_folder(directory, card.name) as copy:
            for name in (CARD, *card.files):
                shutil.copyfile(source / name, copy / name)
            check_digests(copy, card)
    except EmbedderUnusable as error:
        raise UsageError(str(error), hint=error.hint) from error
    return _model(card, Path(directory) / card.name)


def add_known_model(
    name: str,
    directory: str,
    *,
    source: Path | None,
    hub: Hub,
    revision: str | None,
    report: Callable[[str, int], None],
) -> Added:
    """Make the folder of the recipe `name` in `directory`.

    `source` is a directory with the files of the recipe's repository, or of a model's folder; None
    is the hub. `revision` is a branch, tag or commit; None the pinned one, or main. `report` is
    called before each download. Raises UsageError, EmbedderUnusable.
    """
    recipe, root = RECIPES[name], Path(directory)
    before = _pins(root).get(name)
    if source is not None:
        files, pinned = _in_directory(recipe, source), {"repository": str(source), "commit": ""}
        return _added(name, root, files, pinned, None, moved=False)
    if recipe.repository is None:
        raise UsageError(
            f"no public ONNX export of {name} is known",
            hint=f"Export one and add it: bulkup models add {name} --from DIRECTORY",
        )
    asked = revision or (before["commit"] if before and before["commit"] else "main")
    parts = root / f"{_FETCHING}{name}"
    snapshot, found = hub.fetch(recipe.repository, asked, recipe.files.values(), parts, report)
    files = {to: found[path] for to, path in recipe.files.items()}
    pinned = {"repository": recipe.repository, "commit": snapshot.commit}
    expected = before if revision is None and before and before["commit"] else None
    try:
        return _added(name, root, files, pinned, expected, moved=True)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _added(
    name: str,
    root: Path,
    files: Mapping[str, Path],
    pinned: dict[str, Any],
    expected: Mapping[str, Any] | None,
    *,
    moved: bool,
) -> Added:
    digests = {to: _sha256(path) for to, path in files.items()}
    if expected is not None and expected["files"] != digests:
        changed = next(to for to in digests if expected["files"].get(to) != digests[to])
        raise UsageError(
            f"{changed} of {name} is not the file that was downloaded first",
            hint=f"If that is meant: bulkup models add {name} --revision {pinned['commit']}",
        )
    card = {**RECIPES[name].card, "name": name, "files": digests}
    card["version"] = f"{card['version']}.{digests[IMAGE][:8]}"
    with _new_folder(str(root), name) as made:
        for to, path in files.items():
            if moved:
                path.rename(made / to)
            else:
                shutil.copyfile(path, made / to)
        (made / CARD).write_text(json.dumps(card, indent=1), "utf-8")
        checked = read_card(made)
    pins = _pins(root)
    is_first = name not in pins
    pins[name] = {**pinned, "files": digests}
    (root / PINS).write_text(json.dumps(pins, indent=1), "utf-8")
    model = _model(checked, root / name)
    return Added(model, pinned["commit"] or pinned["repository"], is_first)


def _in_directory(recipe: Recipe, source: Path) -> dict[str, Path]:
    found = {}
    for to, path in recipe.files.items():
        places = [source / path, source / to]
        there = next((place for place in places if place.is_file()), None)
        if there is None:
            raise UsageError(f"{source} has neither {path} nor {to}")
        found[to] = there
    return found


def _pins(root: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads((root / PINS).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UsageError(f"{root / PINS} is damaged: {error}", hint="Remove it.") from error
    return data


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_model(name: str, directory: str) -> Path:
    """Remove the folder of an added model. Vectors in manifests stay. Raises UsageError."""
    folder = model_folders(directory).get(name)
    if folder is None:
        raise UsageError(f"no added model is named {name!r}", hint="bulkup models lists them.")
    if folder.parent != Path(directory):
        raise UsageError(f"{name} belongs to a package in {folder}", hint="Uninstall the package.")
    shutil.rmtree(folder)
    return folder
