"""Models known by name: where their files are, and what their cards say.

A recipe makes a folder (see folder.py) from an ONNX export of a published model, downloaded from a
hub once or taken from a directory. Vectors of two exports are never compared: the version of the
card ends with the first digits of the SHA-256 of its picture encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bulkup.embed.two_towers.folder import IMAGE, TEXT, TOKENIZER

_OPEN_CLIP_LAYOUT: Final = {
    IMAGE: "visual/model.onnx",
    TEXT: "textual/model.onnx",
    TOKENIZER: "textual/tokenizer.json",
}
"""The layout of the exports that the photo library Immich publishes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model by name. `card` has all keys of model.json but `name` and `files`."""

    card: Mapping[str, Any]
    files: Mapping[str, str]  # name in a folder → path in the repository
    repository: str | None  # on the hub; None: no public export is known
    about: str


RECIPES: Final[Mapping[str, Recipe]] = {
    "siglip2": Recipe(
        card={
            "version": "b-32-256",
            "dimension": 768,
            "side": 256,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "crop": "squeeze",
            "tokens": 64,
            "pad_id": 0,
            "prompt": "This is a photo of {}.",
            "license": "Apache-2.0",
        },
        files=_OPEN_CLIP_LAYOUT,
        repository="immich-app/ViT-B-32-SigLIP2-256__webli",
        about="SigLIP 2 B/32-256, many languages, 1.5 GB",
    ),
    "datacomp": Recipe(
        card={
            "version": "b-32-256",
            "dimension": 512,
            "side": 256,
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
            "crop": "centre",
            "tokens": 77,
            "pad_id": 0,
            "prompt": "a photo of {}",
            "license": "MIT",
        },
        files=_OPEN_CLIP_LAYOUT,
        repository=None,
        about="CLIP B/32-256 trained on DataComp-1B, English, 0.6 GB",
    ),
}
