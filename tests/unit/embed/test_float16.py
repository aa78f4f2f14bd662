"""Embeddings as BLOBs: small, exact enough, and read back as they were written."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bulkup.embed.embedder import Classes
from bulkup.embed.float16 import classes_blob, vector_blob
from bulkup.search.matrix import from_classes, from_float16


@given(seed=st.integers(0, 10_000), dimension=st.sampled_from([1, 8, 512, 1280, 4096]))
def test_a_vector_comes_back_of_length_one(seed: int, dimension: int) -> None:
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    vector /= np.linalg.norm(vector)
    blob = vector_blob(vector)
    assert len(blob) == 2 * dimension
    (back,) = from_float16(dimension)([blob])
    assert back.dtype == np.float32
    assert abs(float(np.linalg.norm(back)) - 1) < 1e-3
    assert float(back @ vector) > 1 - 1e-3


def test_the_bytes_are_the_same_on_every_machine() -> None:
    assert vector_blob(np.array([1.0, -0.5], np.float32)) == b"\x00\x3c\x00\xb8"
    big_endian = np.array([1.0, -0.5], ">f4")
    assert vector_blob(big_endian) == b"\x00\x3c\x00\xb8"
    assert classes_blob(Classes((258,), (0.5,))) == b"\x02\x01\x00\x38"


def test_no_classes_are_none_and_not_empty() -> None:
    assert classes_blob(None) is None
    assert classes_blob(Classes((), ())) == b""


@given(st.lists(st.tuples(st.integers(0, 999), st.floats(0, 1, width=16)), max_size=20))
def test_classes_come_back_in_their_order(pairs: list[tuple[int, float]]) -> None:
    blob = classes_blob(Classes(tuple(n for n, _ in pairs), tuple(p for _, p in pairs)))
    assert blob is not None
    seen: list[np.ndarray] = []

    def keep(numbers: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        seen.extend((numbers[0], probabilities[0]))
        return probabilities

    from_classes(20, keep)([blob])
    count = len(pairs)
    assert list(zip(seen[0][:count].tolist(), seen[1][:count].tolist(), strict=True)) == pairs
    assert not seen[1][count:].any()
