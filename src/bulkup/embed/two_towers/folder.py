"""Models that drop in: a folder with a card, and an encoder for pictures.

    model.json       the card, see ModelCard
    image.onnx       pixels, float32 (n, 3, side, side), to vectors (n, dimension)

and for the words either a second encoder

    text.onnx        input_ids (n, tokens), and attention_mask if it has that input, to vectors
    tokenizer.json   of the library tokenizers

or labels, then image.onnx has a second output, a score for each of them:

    labels.json      see bulkup.embed.two_towers.labels

Folders are looked for in the directory of models, where `bulkup models add` puts them, and in
packages with an entry point in the group `bulkup.models`: its name is the model's, its value a
module that has the folder's files beside it. So `pip install` of such a package is enough.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bulkup.embed.two_towers.labels import LABELS, ModelLabel, read_labels
from bulkup.errors import EmbedderUnusable

CARD: Final = "model.json"
IMAGE, TEXT, TOKENIZER = "image.onnx", "text.onnx", "tokenizer.json"
GROUP: Final = "bulkup.models"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MOST_CARD_BYTES: Final = 1 << 20
_MOST_SIDE_PX: Final = 2048
_CROPS: Final = ("centre", "squeeze")
_SCORES: Final = ("softmax", "sigmoid", "probability")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What model.json says; every key is required but those with a default.

    A model with labels has `scores`, the others `tokens`.
    """

    name: str  # the value of --model
    version: str  # another one means other vectors
    dimension: int
    side: int  # pixels of the square that the picture encoder takes
    mean: tuple[float, float, float]  # of red, green and blue, 0 to 1: subtracted …
    std: tuple[float, float, float]  # … and divided by
    crop: str  # centre: the middle of the picture; squeeze: all of it
    files: Mapping[str, str]  # name → SHA-256, at least of those that the folder must have
    tokens: int = 0  # the most that the text encoder takes
    pad_id: int | None = None  # fills texts up to `tokens`; None: they keep their length
    prompt: str = "{}"  # where the words stand in what is encoded
    license: str = ""
    scores: str = ""  # softmax, sigmoid, or probability: what makes probabilities of the scores

    @property
    def has_labels(self) -> bool:
        """Whether it names what it sees, and has no encoder for words."""
        return LABELS in self.files


def read_card(folder: Path) -> ModelCard:
    """The card of the model in `folder`, and all of its files present. Raises EmbedderUnusable."""
    try:
        with (folder / CARD).open("rb") as file:
            data = json.loads(file.read(_MOST_CARD_BYTES))
        card = _card(data)
    except OSError as error:
        raise EmbedderUnusable(f"no model in {folder}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EmbedderUnusable(f"{folder / CARD} is not a model's card: {error}") from error
    missing = [name for name in card.files if not (folder / name).is_file()]
    if missing:
        raise EmbedderUnusable(f"the model {card.name} in {folder} lacks {missing[0]}")
    return card


def labels_of(folder: Path) -> list[ModelLabel]:
    """The labels of the model in `folder`; none where it encodes words. Raises EmbedderUnusable."""
    return read_labels(folder) if read_card(folder).has_labels else []


def check_digests(folder: Path, card: ModelCard) -> None:
    """Raise EmbedderUnusable for a file whose SHA-256 is not the card's."""
    for name, digest in card.files.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise EmbedderUnusable(
                f"{folder / name} is not the file of the card: its SHA-256 is {found}",
                hint="Copy or download it again.",
            )


def model_folders(directory: str) -> dict[str, Path]:
    """By name, the folders in `directory`, then those of packages."""
    found: dict[str, Path] = {}
    root = Path(directory)
    if root.is_dir():
        found |= {one.name: one for one in sorted(root.iterdir()) if (one / CARD).is_file()}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        folder = _folder_of_module(point.module)
        if folder is not None:
            found.setdefault(point.name, folder)
    return found


def _folder_of_module(name: str) -> Path | None:
    """Where the package lies, without importing it."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return None if spec is None or not spec.origin else Path(spec.origin).parent


def _card(data: Any) -> ModelCard:
    card = ModelCard(
        name=str(data["name"]),
        version=str(data["version"]),
        dimension=_whole(data, "dimension", 1 << 16),
        side=_whole(data, "side", _MOST_SIDE_PX),
        mean=_three(data, "mean"),
        std=_three(data, "std"),
        crop=str(data["crop"]),
        tokens=0 if LABELS in data["files"] else _whole(data, "tokens", 1 << 16),
        scores=str(data["scores"]) if LABELS in data["files"] else "",
        files={str(name): str(digest) for name, digest in data["files"].items()},
        pad_id=None if data.get("pad_id") is None else int(data["pad_id"]),
        prompt=str(data.get("prompt", "{}")),
        license=str(data.get("license", "")),
    )
    if not _NAME.fullmatch(card.name):
        raise ValueError(f"name {card.name!r} is not made of a-z, 0-9, dots and hyphens")
    if not card.version:
        raise ValueError("version is empty")
    if card.crop not in _CROPS:
        raise ValueError(f"crop {card.crop!r} is none of {', '.join(_CROPS)}")
    if 0.0 in card.std:
        raise ValueError("std has a 0")
    if card.prompt.count("{}") != 1:
        raise ValueError("prompt needs {} once")
    for name, digest in card.files.items():
        if not _FILE.fullmatch(name) or not _DIGEST.fullmatch(digest):
            raise ValueError(f"files: {name!r} is no plain name with a SHA-256")
    if card.has_labels and card.scores not in _SCORES:
        raise ValueError(f"scores {card.scores!r} is none of {', '.join(_SCORES)}")
    needed = {IMAGE, LABELS} if card.has_labels else {IMAGE, TEXT, TOKENIZER}
    if not needed <= card.files.keys():
        raise ValueError(f"files needs {IMAGE}, and {TEXT} and {TOKENIZER}, or {LABELS}")
    return card


def _whole(data: Any, key: str, most: int) -> int:
    value = data[key]
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{key} is not a whole number from 1 to {most}")
    return value


def _three(data: Any, key: str) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in data[key])
    return first, second, third
