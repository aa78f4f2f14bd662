"""Stand-ins for models that drop in: folders with tiny encoders of the right shapes.

Their vectors mean nothing, but differ for what differs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.fakes.clip_models import text_encoder, tokenizer, vision_encoder

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


def write_model_folder(folder: Path, card: dict[str, Any] = SIGLIP, **changed: Any) -> Path:
    """The folder with its four files; `changed` are keys of the card. Returns `folder`."""
    card = {**card, **changed}
    folder.mkdir(parents=True, exist_ok=True)
    dimension, side = card["dimension"], card["side"]
    (folder / "image.onnx").write_bytes(vision_encoder(dimension, side))
    (folder / "text.onnx").write_bytes(text_encoder(dimension))
    (folder / "tokenizer.json").write_text(tokenizer())
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("image.onnx", "text.onnx", "tokenizer.json")
    }
    (folder / "model.json").write_text(json.dumps({"files": digests, **card}))
    return folder
