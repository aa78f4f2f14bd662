"""EfficientNet-Lite0 as an ONNX graph.

The network is that of "EfficientNet: Rethinking Model Scaling" (Tan and Le, 2019), table 1, in the
lite variant of TensorFlow's TPU models (github.com/tensorflow/tpu, models/official/efficientnet/
lite): no squeeze-and-excitation, ReLU6 everywhere, stem and head not scaled. The names of the
tensors are those of the published weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bulkup.embed.onnx_graph import OnnxGraph
from bulkup.embed.weights import Weights

SIDE_PX: Final = 224
"""The size it was trained on; others work less well."""

DIMENSION: Final = 1280
CLASSES: Final = 1000
"""ImageNet's, in the order of ILSVRC 2012: wordnet ids, sorted."""

PIXELS, EMBEDDING, LOGITS = "pixels", "embedding", "logits"
"""The names of the graph's input and outputs."""

_EPSILON: Final = 1e-3  # of the batch norms in training (efficientnet_lite_builder.py)
_MEAN: Final = 127.0  # the same file: pixels are (x - 127) / 128
_SCALE: Final = 1 / 128


@dataclass(frozen=True, slots=True)
class _BlockGroup:
    """A stage of the paper's table 1; only its first block has the stride, and no shortcut."""

    blocks: int
    stride: int
    is_expanded: bool


_BLOCK_GROUPS: Final = (
    _BlockGroup(1, 1, is_expanded=False),
    _BlockGroup(2, 2, is_expanded=True),
    _BlockGroup(2, 2, is_expanded=True),
    _BlockGroup(3, 2, is_expanded=True),
    _BlockGroup(3, 1, is_expanded=True),
    _BlockGroup(4, 2, is_expanded=True),
    _BlockGroup(1, 1, is_expanded=True),
)


def efficientnet_lite0(weights: Weights, *, pictures: int = 1) -> bytes:
    """An ONNX model for a batch of `pictures`.

    In: PIXELS, uint8, (pictures, SIDE_PX, SIDE_PX, 3), RGB. Out: EMBEDDING, float32, (pictures,
    DIMENSION), the input of the classifier, not normalised; LOGITS, float32, (pictures, CLASSES).
    """
    return _Layers(weights).model(pictures)


class _Layers:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._graph = OnnxGraph("efficientnet_lite0")

    def model(self, pictures: int) -> bytes:
        graph = self._graph
        graph.constant("zero", np.array(0, np.float32))
        graph.constant("six", np.array(6, np.float32))
        x = self._convolved(self._normalised(), "_conv_stem", "_bn0", stride=2)
        number = 0
        for group in _BLOCK_GROUPS:
            for place in range(group.blocks):
                x = self._block(x, f"_blocks.{number}", group, is_first=place == 0)
                number += 1
        x = self._convolved(x, "_conv_head", "_bn1")
        x = graph.node("GlobalAveragePool", [x], "pooled")
        x = graph.node("Flatten", [x], EMBEDDING, axis=1)
        graph.constant("classes", self._weights["_fc.weight"])
        graph.constant("biases", self._weights["_fc.bias"])
        graph.node("Gemm", [x, "classes", "biases"], LOGITS, transB=1)
        return graph.model(
            {PIXELS: (np.uint8, (pictures, SIDE_PX, SIDE_PX, 3))},
            {
                EMBEDDING: (np.float32, (pictures, DIMENSION)),
                LOGITS: (np.float32, (pictures, CLASSES)),
            },
        )

    def _normalised(self) -> str:
        """Pixels as floats around 0, channels first. In the graph this costs 0.1 ms, and no
        caller can get it wrong."""
        graph = self._graph
        x = graph.node("Transpose", [PIXELS], "planes", perm=[0, 3, 1, 2])
        x = graph.node("Cast", [x], "floats", to=1)
        x = graph.node("Sub", [x, graph.constant("mean", np.array(_MEAN, np.float32))], "centred")
        scale = graph.constant("scale", np.array(_SCALE, np.float32))
        return graph.node("Mul", [x, scale], "normalised")

    def _block(self, x: str, name: str, group: _BlockGroup, *, is_first: bool) -> str:
        """An inverted bottleneck (MobileNetV2): widen, look at the surroundings, narrow."""
        entered = x
        if group.is_expanded:
            x = self._convolved(x, f"{name}._expand_conv", f"{name}._bn0")
        stride = group.stride if is_first else 1
        x = self._convolved(x, f"{name}._depthwise_conv", f"{name}._bn1", stride, is_depthwise=True)
        x = self._convolved(x, f"{name}._project_conv", f"{name}._bn2", is_activated=False)
        return x if is_first else self._graph.node("Add", [x, entered], f"{name}.sum")

    def _convolved(
        self,
        x: str,
        name: str,
        norm: str,
        stride: int = 1,
        *,
        is_depthwise: bool = False,
        is_activated: bool = True,
    ) -> str:
        """A convolution, its batch norm folded into its weights, and ReLU6."""
        kernel = self._weights[f"{name}.weight"].astype(np.float64)
        gain, bias, mean, variance = (
            self._weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gain / np.sqrt(variance + _EPSILON)
        graph = self._graph
        folded = (kernel * gain[:, None, None, None]).astype(np.float32)
        w = graph.constant(f"{name}.w", folded)
        b = graph.constant(f"{name}.b", (bias - mean * gain).astype(np.float32))
        x = graph.node(
            "Conv",
            [x, w, b],
            name,
            auto_pad="SAME_UPPER",  # TensorFlow's SAME: the odd pixel at the end
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            group=kernel.shape[0] if is_depthwise else 1,
        )
        return graph.node("Clip", [x, "zero", "six"], f"{name}.relu6") if is_activated else x
