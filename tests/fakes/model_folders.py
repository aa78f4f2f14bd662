"""Stand-ins for models that drop in: folders with tiny encoders of the right shapes.

Their vectors mean nothing, but differ for what differs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.fakes.clip_models import (
    labelling_encoder,
    text_encoder,
    tokenizer,
    vision_encoder,
)

SIGLIP: dict[str, Any] = {
    "name": "siglip2", "version": "base-16.1", "dimension": 768, "side": 256,
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop": "squeeze", "tokens": 64,
    "pad_id": 0, "prompt": "This is a photo of {}.", "license": "Apache-2.0",
}  # fmt: skip
"""The shape of SigLIP 2."""

DATACOMP: dict[str, Any] = {
    "name": "datacomp", "version": "b-32-256.1", "dimension": 512, "side": 256,
    "mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "crop": "centre", "tokens": 77,
    "prompt": "a photo of {}", "license": "MIT",
}  # fmt: skip


SCENES: dict[str, Any] = {
    "name": "scenes", "version": "3.1", "dimension": 64, "side": 64,
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop": "squeeze", "scores": "softmax",
    "license": "Apache-2.0",
}  # fmt: skip
"""A model that names what it sees: three scenes, by their mean colours."""

SCENE_LABELS: list[Any] = [
    {"names": ["brick wall"], "kinds": ["wall", "structure"], "context": ["street", "window"]},
    {"names": ["meadows", "field"], "kinds": ["land"], "context": ["cow", "spring", "hiker"]},
    "sea",
]
"""Red, green, blue."""


def write_labelling_folder(folder: Path, labels: Any = None, **changed: Any) -> Path:
    """A model with labels; `changed` are keys of the card. Returns `folder`."""
    card = {**SCENES, **changed}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image.onnx").write_bytes(labelling_encoder(card["dimension"], card["side"]))
    (folder / "labels.json").write_text(json.dumps(SCENE_LABELS if labels is None else labels))
    names = ("image.onnx", "labels.json")
    (folder / "model.json").write_text(json.dumps({"files": _digests(folder, names), **card}))
    return folder


def _digests(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def write_model_folder(folder: Path, card: dict[str, Any] = SIGLIP, **changed: Any) -> Path:
    """The folder with its four files; `changed` are keys of the card. Returns `folder`."""
    card = {**card, **changed}
    folder.mkdir(parents=True, exist_ok=True)
    dimension, side = card["dimension"], card["side"]
    (folder / "image.onnx").write_bytes(vision_encoder(dimension, side))
    (folder / "text.onnx").write_bytes(text_encoder(dimension))
    (folder / "tokenizer.json").write_text(tokenizer())
    digests = _digests(folder, ("image.onnx", "text.onnx", "tokenizer.json"))
    (folder / "model.json").write_text(json.dumps({"files": digests, **card}))
    return folder
