"""Stand-ins for CLIP's two encoders, in the layout that the Hugging Face hub's cache has.

Tiny ONNX models with the inputs, the outputs and the files of the real ones, so that all of the way
through fastembed is walked. Their vectors mean nothing, but differ for what differs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bulkup.embed.clip import DIMENSION, TEXT, VISION
from bulkup.embed.onnx_graph import OnnxGraph, TensorType

FLOATS: TensorType = (np.float32, None)
INTEGERS: TensorType = (np.int64, None)
REVISION = "0" * 40
NORMALISED = {  # preprocessor_config.json of CLIP: pixels to the mean and spread of its training
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def write_models(directory: Path) -> None:
    """Both models, as if they had been fetched once."""
    vision = _snapshot(directory, VISION)
    (vision / "model.onnx").write_bytes(vision_encoder(DIMENSION, 224))
    (vision / "preprocessor_config.json").write_text(json.dumps(NORMALISED))
    text = _snapshot(directory, TEXT)
    (text / "model.onnx").write_bytes(text_encoder(DIMENSION))
    (text / "config.json").write_text(json.dumps({"pad_token_id": 0}))
    pad = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    (text / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77, **pad}))
    (text / "special_tokens_map.json").write_text(json.dumps(pad))
    (text / "tokenizer.json").write_text(tokenizer())


def _snapshot(directory: Path, repository: str) -> Path:
    home = directory / f"models--{repository.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(REVISION)
    snapshot = home / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    return snapshot


def vision_encoder(dimension: int, side_px: int) -> bytes:
    """The mean colours of 16 tiles, thrown in all directions."""
    graph, tile = OnnxGraph("vision"), side_px // 4
    throw = np.random.default_rng(1).normal(size=(48, dimension)).astype(np.float32)
    tiles = graph.node(
        "AveragePool", ["pixel_values"], "tiles", kernel_shape=[tile, tile], strides=[tile, tile]
    )
    flat = graph.node("Flatten", [tiles], "flat")
    graph.node("MatMul", [flat, graph.constant("throw", throw)], "image_embeds")
    return graph.model({"pixel_values": FLOATS}, {"image_embeds": FLOATS})


def labelling_encoder(dimension: int, side_px: int) -> bytes:
    """Vectors as of `vision_encoder`, and as scores of three labels the mean red, green, blue."""
    graph, tile = OnnxGraph("labels"), side_px // 4
    throw = np.random.default_rng(1).normal(size=(48, dimension)).astype(np.float32)
    tiles = graph.node(
        "AveragePool", ["pixel_values"], "tiles", kernel_shape=[tile, tile], strides=[tile, tile]
    )
    flat = graph.node("Flatten", [tiles], "flat")
    graph.node("MatMul", [flat, graph.constant("throw", throw)], "embedding")
    colours = graph.node("Flatten", [graph.node("GlobalAveragePool", [tiles], "mean")], "colours")
    graph.node(
        "MatMul", [colours, graph.constant("scale", np.eye(3, dtype=np.float32) * 5)], "scores"
    )
    return graph.model({"pixel_values": FLOATS}, {"embedding": FLOATS, "scores": FLOATS})


def text_encoder(dimension: int) -> bytes:
    """Waves of the tokens' mean."""
    graph = OnnxGraph("text")
    waves = np.random.default_rng(2).normal(size=(1, dimension)).astype(np.float32)
    numbers = graph.node("Cast", ["input_ids"], "numbers", to=1)
    mean = graph.node("ReduceMean", [numbers], "mean", axes=[1], keepdims=1)
    phases = graph.node("MatMul", [mean, graph.constant("waves", waves)], "phases")
    graph.node("Cos", [phases], "text_embeds")
    return graph.model({"input_ids": INTEGERS}, {"text_embeds": FLOATS})


def tokenizer() -> str:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[PAD]", "[UNK]", "a", "cat", "dog"]
    vocabulary = {word: number for number, word in enumerate(words)}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made.to_str()
