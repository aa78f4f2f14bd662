"""Write ONNX models without the onnx package: only the messages needed here.

Field numbers and enumerations are those of onnx/onnx.proto (https://github.com/onnx/onnx), in the
wire format of https://protobuf.dev/programming-guides/encoding: a field is a varint
`number << 3 | kind`, kind 0 a varint, kind 2 a length and that many bytes. The names of operators
and their attributes are in docs/Operators.md there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_IR_VERSION: Final = 8
_OPERATORS_VERSION: Final = 13
"""Both of 2021 or before: every ONNX Runtime with a wheel for Python 3.11 reads them."""

# TensorProto.DataType
_ELEMENTS: Final = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int64): 7}
_INT, _STRING, _INTS = 2, 3, 7  # AttributeProto.AttributeType

TensorType = tuple[type[np.generic], tuple[int, ...] | None]
"""The element type and shape of an input or output; None: of any shape."""


class OnnxGraph:
    """A graph under construction: constants and nodes are added in the order of their use.

    Values have names; `node` returns the name of its result, so that calls can be chained.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A tensor of float32, uint8 or int64 that is part of the model (TensorProto)."""
        self._constants.append(
            b"".join(_number(1, length) for length in value.shape)
            + _number(2, _ELEMENTS[value.dtype])
            + _bytes(8, name.encode())
            + _bytes(9, np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<")).tobytes())
        )
        return name

    def node(
        self, operator: str, inputs: Sequence[str], output: str, **attributes: int | str | list[int]
    ) -> str:
        """One operator's use (NodeProto)."""
        self._nodes.append(
            b"".join(_bytes(1, name.encode()) for name in inputs)
            + _bytes(2, output.encode())
            + _bytes(4, operator.encode())
            + b"".join(_bytes(5, _attribute(*item)) for item in attributes.items())
        )
        return output

    def model(self, inputs: dict[str, TensorType], outputs: dict[str, TensorType]) -> bytes:
        """The whole model (ModelProto), with its inputs and outputs by name."""
        graph = (
            b"".join(_bytes(1, node) for node in self._nodes)
            + _bytes(2, self._name.encode())
            + b"".join(_bytes(5, constant) for constant in self._constants)
            + b"".join(_bytes(11, _value(name, *what)) for name, what in inputs.items())
            + b"".join(_bytes(12, _value(name, *what)) for name, what in outputs.items())
        )
        operators = _bytes(1, b"") + _number(2, _OPERATORS_VERSION)  # the domain of ONNX itself
        return (
            _number(1, _IR_VERSION) + _bytes(2, b"bulkup") + _bytes(7, graph) + _bytes(8, operators)
        )


def _attribute(name: str, value: int | str | list[int]) -> bytes:
    """AttributeProto."""
    named = _bytes(1, name.encode())
    if isinstance(value, str):
        return named + _bytes(4, value.encode()) + _number(20, _STRING)
    if isinstance(value, int):
        return named + _number(3, value) + _number(20, _INT)
    return named + b"".join(_number(8, item) for item in value) + _number(20, _INTS)


def _value(name: str, element: type[np.generic], shape: tuple[int, ...] | None) -> bytes:
    """ValueInfoProto, with TypeProto.Tensor and TensorShapeProto inside."""
    tensor = _number(1, _ELEMENTS[np.dtype(element)])
    if shape is not None:
        tensor += _bytes(2, b"".join(_bytes(1, _number(1, length)) for length in shape))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow. Not negative."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
