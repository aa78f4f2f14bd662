"""Near-duplicates: the same picture in other bytes, by perceptual hash and by vector.

Measured on 59 photos of many cameras and 11 edits of each (halved, 320 px, JPEG at 20, cropped
by 10 % in all or to a corner, brightness ±25 %, contrast, rotated by 3°, grey, mirrored), with
vectors of EfficientNet-Lite0. Recall is over an original and its edits. False are pairs among
246,240 of different photos; the two exposures of one scene (an HDR pair) count as near:

    hash alone, up to 6 of 64 bits                        recall 0.66   none false
    vectors alone, cosine from 0.90 / from 0.85           recall 0.88 / 0.95   none false
    both, as `_are_near` has it                           recall 0.96   none false

Missed are crops to a corner (found: 0.63) and some of the rotated ones (0.95). Photos that only
look alike, two yellow flowers, have a cosine up to 0.845. Pages of text are near each other: 256
pixels do not distinguish them.

Vectors alone take a light in the night for any other: of drawn lights and figures in the fog, 2,993
pairs of different ones were near. Where hashes contradict each other 166 are left, and recall is
lower by 0.003 among photos, by 0.14 among those drawings (mirrored and turned ones).

100,000 pictures take 9 s on 2 cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bulkup.search.matrix import Matrix
from bulkup.search.matrix_file import Floats

Pairs = NDArray[np.int64]
"""Shape (count, 2): places of two pictures, the lower first."""

_HASH_BITS: Final = 4  # hashes that differ by so many are near
_SPARSE_BITS: Final = 32  # of both hashes together; ordinary photos have 52 and more
_HASH_CHUNKS: Final = (13, 13, 13, 13, 12)  # one more than _HASH_BITS: one of them is equal
_SAME_SCENE: Final = 0.6  # cosine: a grey copy has 0.6, other photos up to 0.5, once in 1,000 more
_NEAR: Final = 0.92  # cosine that is sufficient
_PERHAPS_NEAR: Final = 0.85  # cosine that is sufficient when the hashes are similar, too
_PERHAPS_BITS: Final = 16  # different photos differ in 17 and more, once in 300 in fewer
_FLAT_NEAR: Final = 0.98  # cosine without a usable hash; a black and a white frame have 0.95
_FLAT_BITS: Final = 4  # a hash with fewer bits set, or fewer not set, is not usable

EXACT_COUNT: Final = 8192
"""Up to so many pictures, all pairs of vectors are compared: 0.9 s."""

BLOCK: Final = 2048
"""Pictures that are compared with as many others in one product."""

_PIVOTS: Final = 512
_PIVOTS_EACH: Final = 4
_MOST_BETTER: Final = 16
"""Better near pictures kept for each picture and cell: of 10,000 frames of one scene all pairs are
near, and the first ones are enough to find the best of them."""


@dataclass(frozen=True, slots=True)
class DuplicateCandidate:
    """A picture that may have near-duplicates."""

    content_id: int
    perceptual_hash: str | None  # 16 hex characters
    pixels: int
    size_bytes: int
    asset_id: int  # of the asset that was found first


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A picture of a group, and its similarity to the group's best: 0 to 1."""

    candidate: DuplicateCandidate
    likeness: float


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """A picture and its near-duplicates: the best first, then the most similar to it.

    The best has the most pixels, then the most bytes, then was found first.
    """

    members: tuple[GroupMember, ...]

    @property
    def spare_bytes(self) -> int:
        """The bytes of all but the best."""
        return sum(member.candidate.size_bytes for member in self.members[1:])


def find_groups(
    candidates: Sequence[DuplicateCandidate], vectors: Matrix | None = None
) -> list[DuplicateGroup]:
    """Groups of two and more, those with the most spare bytes first.

    Each member is near the best of its group; a chain of similar pictures is no group. A picture is
    in one group at most. Hashes and vectors are used where they exist.
    """
    ranked = sorted(candidates, key=lambda one: (-one.pixels, -one.size_bytes, one.asset_id))
    hashes = Hashes(ranked)
    places = _Places(ranked, vectors)
    pairs = np.concatenate([hashes.near_pairs(), *places.near_pairs()])
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    cosines, bits = places.cosines(pairs), hashes.distances(pairs)
    near = _are_near(cosines, bits, hashes.contradict(pairs))
    likeness = np.where(np.isnan(cosines), 1 - bits / 64, cosines)
    groups = _stars(ranked, pairs[near], likeness[near])
    return sorted(groups, key=lambda group: -group.spare_bytes)


def _are_near(cosines: Floats, bits: Floats, contradict: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each pair is near; NaN where there is no vector, or no usable hash. `contradict`:
    whether the hashes show different things on an empty ground."""
    no_vectors, no_hashes = np.isnan(cosines), np.isnan(bits)
    by_hash = (bits <= _HASH_BITS) & (no_vectors | (cosines >= _SAME_SCENE))
    by_both = (cosines >= _PERHAPS_NEAR) & (bits <= _PERHAPS_BITS)
    by_vector = cosines >= np.where(no_hashes, _FLAT_NEAR, _NEAR)
    found: NDArray[np.bool_] = by_hash | (by_both | by_vector) & ~contradict
    return found


def _stars(
    ranked: Sequence[DuplicateCandidate], pairs: Pairs, likeness: Floats
) -> Iterator[DuplicateGroup]:
    """Each picture, the best first, takes the near ones not yet taken. Pairs are sorted."""
    taken: set[int] = set()
    around: dict[int, list[tuple[float, int]]] = {}
    for (best, other), near in zip(pairs.tolist(), likeness.tolist(), strict=True):
        if best not in taken and other not in taken:
            taken.add(other)
            around.setdefault(best, []).append((-near, other))
    for best, others in around.items():
        rest = (GroupMember(ranked[at], min(1.0, -near)) for near, at in sorted(others))
        yield DuplicateGroup((GroupMember(ranked[best], 1.0), *rest))


class Hashes:
    """Perceptual hashes of ranked pictures, as far as they are usable."""

    def __init__(self, ranked: Sequence[DuplicateCandidate]) -> None:
        texts = [one.perceptual_hash for one in ranked]
        self._bits = np.array([int(text, 16) if text else 0 for text in texts], np.uint64)
        ones = _popcount(self._bits)
        self._marks = np.minimum(ones, 64 - ones).astype(np.int64)
        self._is_usable = (ones >= _FLAT_BITS) & (ones <= 64 - _FLAT_BITS)

    def near_pairs(self) -> Pairs:
        """The pairs of usable hashes that differ in _HASH_BITS at most; of the better pictures that
        one is near to, at least the first _MOST_BETTER.

        Such a pair is equal in one of five chunks of bits, so only those are compared.
        """
        places = np.flatnonzero(self._is_usable)
        found, shift = [np.empty((0, 2), np.int64)], 0
        for width in _HASH_CHUNKS:
            chunk = self._bits[places] >> np.uint64(shift) & np.uint64((1 << width) - 1)
            order = np.argsort(chunk, kind="stable")
            ends = np.flatnonzero(np.diff(chunk[order])) + 1
            for same in np.split(places[order], ends):
                if len(same) > 1:
                    found.extend(self._near_among(same))
            shift += width
        return np.concatenate(found)

    def _near_among(self, places: NDArray[np.intp]) -> Iterator[Pairs]:
        """The near pairs among pictures in ascending order."""
        bits, seen = self._bits[places], np.zeros(len(places), np.int64)
        for start in range(0, len(places), BLOCK):
            for other in range(start, len(places), BLOCK):
                here, there = slice(start, start + BLOCK), slice(other, other + BLOCK)
                near = _popcount(bits[here, None] ^ bits[None, there]) <= _HASH_BITS
                yield _pairs(near, places[here], places[there], seen[there])

    def distances(self, pairs: Pairs) -> Floats:
        """In how many bits each pair differs; NaN where one hash is not usable."""
        one, other = pairs[:, 0], pairs[:, 1]
        differing = _popcount(self._bits[one] ^ self._bits[other]).astype(np.float32)
        differing[~(self._is_usable[one] & self._is_usable[other])] = np.nan
        return differing

    def contradict(self, pairs: Pairs) -> NDArray[np.bool_]:
        """Whether each pair has few bits that are unlike the others, and most of them differ.

        Such are pictures of a little on an empty ground: lights in the night, figures in the fog.
        Their vectors say "night" and "fog"; what is where, only the hashes say.
        """
        marks = self._marks[pairs].sum(axis=1)
        differing = self.distances(pairs)  # NaN compares as False
        found: NDArray[np.bool_] = (marks <= _SPARSE_BITS) & (2 * differing > marks)
        return found


class _Places:
    """The rows of ranked pictures in the matrix."""

    def __init__(self, ranked: Sequence[DuplicateCandidate], vectors: Matrix | None) -> None:
        found = [None if vectors is None else vectors.place(one.content_id) for one in ranked]
        self._vectors = vectors
        self._at = np.array([-1 if at is None else at for at in found], np.int64)

    def near_pairs(self) -> Iterator[Pairs]:
        """Pairs with a cosine of _PERHAPS_NEAR and more.

        All of them up to EXACT_COUNT pictures. Above, those that share one of the _PIVOTS_EACH
        pivots nearest to each: 99.96 % of such pairs, and every edit, in the measurement above.
        """
        known = np.flatnonzero(self._at >= 0)
        if len(known) <= EXACT_COUNT:
            yield from self._near_among(known)
            return
        for cell in self._cells(known):
            yield from self._near_among(cell)

    def _cells(self, known: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """The pictures near each of some randomly chosen ones, in ascending order."""
        chosen = np.random.default_rng(0).choice(known, _PIVOTS, replace=False)
        pivots = self._rows(chosen)
        nearest = np.concatenate(
            [
                np.argpartition(-(self._rows(known[start : start + BLOCK]) @ pivots.T),
                                _PIVOTS_EACH, axis=1)[:, :_PIVOTS_EACH]
                for start in range(0, len(known), BLOCK)
            ]
        )  # fmt: skip
        for pivot in range(_PIVOTS):
            yield known[(nearest == pivot).any(axis=1)]

    def _near_among(self, places: NDArray[np.intp]) -> Iterator[Pairs]:
        """The near pairs among pictures in ascending order."""
        seen = np.zeros(len(places), np.int64)
        for start in range(0, len(places), BLOCK):
            here = places[start : start + BLOCK]
            block = self._rows(here)
            for other in range(start, len(places), BLOCK):
                there = places[other : other + BLOCK]
                beside = block if other == start else self._rows(there)
                near = block @ beside.T >= _PERHAPS_NEAR
                yield _pairs(near, here, there, seen[other : other + BLOCK])

    def cosines(self, pairs: Pairs) -> Floats:
        """The cosine of each pair; NaN where one has no vector."""
        found = np.full(len(pairs), np.nan, np.float32)
        known = np.flatnonzero((self._at[pairs] >= 0).all(axis=1))
        for start in range(0, len(known), BLOCK):
            at = known[start : start + BLOCK]
            one, other = self._rows(pairs[at, 0]), self._rows(pairs[at, 1])
            found[at] = np.einsum("ij,ij->i", one, other)
        return found

    def _rows(self, places: NDArray[np.intp]) -> Floats:
        assert self._vectors is not None  # else no place is known
        return self._vectors.rows(self._at[places])


def _pairs(
    near: NDArray[np.bool_],
    here: NDArray[np.intp],
    there: NDArray[np.intp],
    seen: NDArray[np.int64],
) -> Pairs:
    """The near pairs of a block, `near` of shape (len(here), len(there)).

    `seen` counts, for each place of `there`, the better ones that were near it in earlier
    blocks; those of this one are added.
    """
    if here[0] == there[0]:
        near = np.triu(near, 1)
    if np.count_nonzero(near) > _MOST_BETTER * len(there):
        near &= np.cumsum(near, axis=0) <= _MOST_BETTER - seen
    seen += np.count_nonzero(near, axis=0)
    rows, columns = np.nonzero(near)
    return np.stack([here[rows], there[columns]], axis=1)


def _popcount(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The number of set bits (Warren, Hacker's Delight, 5-2); numpy has it from 2.0 on."""
    one, two, four = (np.uint64(0x5555555555555555), np.uint64(0x3333333333333333),
                      np.uint64(0x0F0F0F0F0F0F0F0F))  # fmt: skip
    values = values - (values >> np.uint64(1) & one)
    values = (values & two) + (values >> np.uint64(2) & two)
    values = values + (values >> np.uint64(4)) & four
    counts: NDArray[np.uint8] = (values * np.uint64(0x0101010101010101) >> np.uint64(56)).astype(
        np.uint8
    )
    return counts
