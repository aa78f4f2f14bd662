"""Groups of near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.search.duplicates import (
    BLOCK,
    EXACT_COUNT,
    DuplicateCandidate,
    DuplicateGroup,
    Hashes,
    find_groups,
)
from bulkup.search.matrix import Matrix
from bulkup.search.matrix_file import MatrixPart

HASH = "0f1e2d3c4b5a6978"


def candidate(
    number: int, hash_: str | None = None, pixels: int = 100, size: int = 10
) -> DuplicateCandidate:
    return DuplicateCandidate(number, hash_, pixels, size, asset_id=number)


def flipped(*bits: int) -> str:
    value = int(HASH, 16)
    for bit in bits:
        value ^= 1 << bit
    return f"{value:016x}"


def matrix(vectors: Sequence[Sequence[float]], contents: Sequence[int]) -> Matrix:
    rows = np.array(vectors, np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = np.array([(at + 1, content) for at, content in enumerate(contents)], np.int64)
    return Matrix([MatrixPart(ids, rows)], rows.shape[1])


def at_cosine(cosine: float) -> list[float]:
    return [cosine, (1 - cosine * cosine) ** 0.5, 0.0]


def numbers(groups: Sequence[DuplicateGroup]) -> list[list[int]]:
    return [[member.candidate.content_id for member in group.members] for group in groups]


def two(cosine: float, other_hash: str | None, hash_: str | None = HASH) -> list[list[int]]:
    vectors = matrix([at_cosine(1), at_cosine(cosine)], [1, 2])
    return numbers(find_groups([candidate(1, hash_), candidate(2, other_hash)], vectors))


def test_nothing_has_no_groups() -> None:
    assert find_groups([]) == []
    assert find_groups([candidate(1, HASH)]) == []


@pytest.mark.parametrize("bits", [(), (0,), (5, 20, 40, 63), (0, 13, 26, 39)])
def test_hashes_that_differ_in_four_bits_are_near(bits: tuple[int, ...]) -> None:
    assert numbers(find_groups([candidate(1, HASH), candidate(2, flipped(*bits))])) == [[1, 2]]


def test_hashes_that_differ_in_five_bits_are_not() -> None:
    assert find_groups([candidate(1, HASH), candidate(2, flipped(0, 13, 26, 39, 52))]) == []


@pytest.mark.parametrize(
    ("cosine", "other", "near"),
    [
        (0.95, flipped(*range(30)), True),  # mirrored: other bits, a near vector
        (0.88, flipped(*range(16)), True),
        (0.88, flipped(*range(17)), False),
        (0.80, flipped(*range(16)), False),
        (0.65, HASH, True),  # grey
        (0.50, HASH, False),
        (0.99, None, True),
        (0.95, None, False),
    ],
)
def test_a_pair_is_near_by_both(cosine: float, other: str | None, near: bool) -> None:
    assert two(cosine, other) == ([[1, 2]] if near else [])


@pytest.mark.parametrize("flat", ["0000000000000000", "ffffffffffffffff", "0000000000000007"])
def test_flat_pictures_are_not_near_by_their_hash(flat: str) -> None:
    assert find_groups([candidate(number, flat) for number in range(1, 9)]) == []
    assert two(0.95, flat, flat) == []
    assert two(0.99, flat, flat) == [[1, 2]]


# Lights in the night, as perceptual hashes: few bits, and others in each.
NIGHT, OTHER_NIGHT, SAME_NIGHT = "0010045a5a041000", "18a4a40000000000", "0010045a5a041004"


def inverted(hash_: str) -> str:
    return f"{int(hash_, 16) ^ (1 << 64) - 1:016x}"


@pytest.mark.parametrize("cosine", [0.87, 0.95, 0.99])
def test_vectors_do_not_decide_where_sparse_hashes_contradict_each_other(cosine: float) -> None:
    assert two(cosine, OTHER_NIGHT, NIGHT) == []
    assert two(cosine, inverted(OTHER_NIGHT), inverted(NIGHT)) == []
    assert two(cosine, SAME_NIGHT, NIGHT) == [[1, 2]]


def test_the_best_comes_first() -> None:
    """Most pixels, then most bytes, then what was found first."""
    pictures = [
        candidate(1, HASH, pixels=100, size=99),
        candidate(2, HASH, pixels=200, size=10),
        candidate(3, HASH, pixels=200, size=20),
        candidate(4, HASH, pixels=200, size=20),
    ]
    (group,) = find_groups(pictures)
    assert group.members[0].candidate.content_id == 3
    assert group.spare_bytes == 99 + 10 + 20


def test_the_others_come_by_likeness_to_the_best() -> None:
    vectors = matrix([at_cosine(1), at_cosine(0.95), at_cosine(0.99)], [1, 2, 3])
    pictures = [candidate(1, None, 300), candidate(2, HASH, 200), candidate(3, HASH, 100)]
    (group,) = find_groups([replace(one, perceptual_hash=HASH) for one in pictures], vectors)
    assert numbers([group]) == [[1, 3, 2]]
    assert [round(member.likeness, 2) for member in group.members] == [1.0, 0.99, 0.95]


def test_small_steps_do_not_make_a_chain() -> None:
    angles = np.radians(np.arange(0, 90, 15))  # each at a cosine of 0.966 to the next
    vectors = matrix([[np.cos(a), np.sin(a)] for a in angles], list(range(1, 7)))
    hashes = [f"{value:016x}" for value in np.random.default_rng(0).integers(1 << 40, 1 << 62, 6)]
    pictures = [candidate(at + 1, hashes[at], pixels=100 - at) for at in range(6)]
    assert numbers(find_groups(pictures, vectors)) == [[1, 2], [3, 4], [5, 6]]


def test_the_group_that_frees_most_comes_first() -> None:
    other = "aa55aa55aa55aa55"
    pictures = [candidate(1, HASH), candidate(2, HASH)]
    pictures += [candidate(3, other, size=50), candidate(4, other, size=40)]
    assert numbers(find_groups(pictures)) == [[3, 4], [1, 2]]


def test_a_picture_without_a_vector_is_judged_by_its_hash() -> None:
    vectors = matrix([at_cosine(1)], [1])
    assert numbers(find_groups([candidate(1, HASH), candidate(2, HASH)], vectors)) == [[1, 2]]


hashes = st.integers(0, 2**64 - 1).map(lambda value: f"{value:016x}")
near_hashes = st.sets(st.integers(0, 63), max_size=5).map(lambda bits: flipped(*bits))


# 33 pictures that are all near have 16 times as many pairs; of more, some are left out.
@given(st.lists(near_hashes, max_size=20), st.lists(hashes, max_size=13))
def test_hash_pairs_are_those_of_comparing_all(near: list[str], far: list[str]) -> None:
    values = near + far
    found = Hashes([candidate(at, value) for at, value in enumerate(values)]).near_pairs()
    telling = [4 <= int(value, 16).bit_count() <= 60 for value in values]
    expected = {
        (one, other)
        for other in range(len(values))
        for one in range(other)
        if telling[one] and telling[other]
        and (int(values[one], 16) ^ int(values[other], 16)).bit_count() <= 4
    }  # fmt: skip
    assert set(map(tuple, found.tolist())) == expected


@given(st.lists(st.tuples(hashes, st.integers(1, 3), st.integers(1, 3)), max_size=12))
def test_no_picture_is_in_two_groups_and_none_is_alone(values) -> None:
    pictures = [
        DuplicateCandidate(at, hash_, pixels, size, at)
        for at, (hash_, pixels, size) in enumerate(values * 2)
    ]
    groups = find_groups(pictures)
    members = [member.candidate.content_id for group in groups for member in group.members]
    assert len(members) == len(set(members))
    assert all(len(group.members) >= 2 for group in groups)


def test_many_frames_of_one_scene_are_one_group() -> None:
    count = BLOCK + 1
    rng = np.random.default_rng(0)
    frames = np.ones((count, 32)) + rng.normal(0, 0.1, (count, 32))
    vectors = matrix(frames.tolist(), range(count))
    groups = find_groups([candidate(number, HASH) for number in range(count)], vectors)
    assert [len(group.members) for group in groups] == [count]


def test_more_pictures_than_are_compared_with_each_other() -> None:
    """9,000 pictures of 400 scenes and 50 near copies: all copies are found by way of pivots."""
    count, copies = 9_000, 50
    rng = np.random.default_rng(0)
    scenes = rng.standard_normal((400, 64))
    found = scenes[rng.integers(0, 400, count)] + 1.2 * rng.standard_normal((count, 64))
    near = found[:copies] + 0.15 * rng.standard_normal((copies, 64))
    vectors = matrix(np.concatenate([found, near]), range(count + copies))
    assert count > EXACT_COUNT
    groups = find_groups([candidate(number) for number in range(count + copies)], vectors)
    pairs = {frozenset(group) for group in numbers(groups)}
    # Without hashes a cosine of 0.98 is asked for, which these copies have.
    assert sum(frozenset((at, count + at)) in pairs for at in range(copies)) == copies
