"""ONNX Runtime is the judge of what is written."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.embed.onnx_graph import OnnxGraph


def run(model: bytes, **inputs: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_constants_come_through_whole(shape, seed) -> None:
    constant = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    graph = OnnxGraph("sum")
    graph.node("Add", ["x", graph.constant("c", constant)], "y")
    model = graph.model({"x": (np.float32, constant.shape)}, {"y": (np.float32, constant.shape)})
    (y,) = run(model, x=np.ones_like(constant))
    assert np.array_equal(y, constant + 1)


@pytest.mark.parametrize("length", [1, 127, 128, 16_383, 16_384, 70_000])
def test_lengths_on_both_sides_of_a_further_byte(length) -> None:
    constant = np.arange(length, dtype=np.float32)
    graph = OnnxGraph("sum")
    graph.node("Add", ["x", graph.constant("c", constant)], "y")
    model = graph.model({"x": (np.float32, (length,))}, {"y": (np.float32, (length,))})
    assert np.array_equal(run(model, x=constant)[0], 2 * constant)


def test_a_constant_that_is_a_view_is_written_in_its_own_order() -> None:
    constant = np.arange(6, dtype=np.float32).reshape(2, 3).T
    graph = OnnxGraph("sum")
    graph.node("Add", ["x", graph.constant("c", constant)], "y")
    model = graph.model({"x": (np.float32, (3, 2))}, {"y": (np.float32, (3, 2))})
    assert np.array_equal(run(model, x=np.zeros((3, 2), np.float32))[0], constant)


def test_attributes_of_every_kind_are_understood() -> None:
    """A number (group), a text (auto_pad) and a list (strides), in one convolution."""
    kernel = np.ones((2, 1, 3, 3), np.float32)
    graph = OnnxGraph("convolution")
    graph.node(
        "Conv",
        ["x", graph.constant("kernel", kernel)],
        "y",
        auto_pad="SAME_UPPER",
        kernel_shape=[3, 3],
        strides=[2, 2],
        group=2,
    )
    model = graph.model({"x": (np.float32, (1, 2, 4, 4))}, {"y": (np.float32, (1, 2, 2, 2))})
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    (y,) = run(model, x=x)
    padded = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)))  # the odd pixel at the end
    expected = [
        [[padded[0, c, i : i + 3, j : j + 3].sum() for j in (0, 2)] for i in (0, 2)] for c in (0, 1)
    ]
    assert np.array_equal(y[0], expected)


def test_bytes_go_in_and_several_results_come_out() -> None:
    graph = OnnxGraph("two")
    floats = graph.node("Cast", ["x"], "floats", to=1)
    graph.node("Neg", [floats], "negative")
    model = graph.model(
        {"x": (np.uint8, (3,))}, {"floats": (np.float32, (3,)), "negative": (np.float32, (3,))}
    )
    floats, negative = run(model, x=np.array([0, 7, 255], np.uint8))
    assert floats.tolist() == [0, 7, 255]
    assert negative.tolist() == [0, -7, -255]


def test_integers_of_any_shape_go_in_and_come_out() -> None:
    graph = OnnxGraph("integers")
    graph.node("Add", ["x", graph.constant("one", np.ones(1, np.int64))], "y")
    model = graph.model({"x": (np.int64, None)}, {"y": (np.int64, None)})
    for shape in ((2,), (3, 1)):
        (y,) = run(model, x=np.zeros(shape, np.int64))
        assert np.array_equal(y, np.ones(shape))


def test_an_element_type_without_a_number_is_an_error() -> None:
    with pytest.raises(KeyError):
        OnnxGraph("none").constant("c", np.zeros(1, np.float64))
