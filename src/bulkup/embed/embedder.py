"""The protocol of an embedder. Every embedder passes tests/contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bulkup.errors import ItemError

Vector = NDArray[np.float32]
"""Shape (dimension,), of length 1."""


@dataclass(frozen=True, slots=True)
class Classes:
    """What a classifier sees in one picture: its most probable classes, best first.

    `numbers` are classes of the embedder's own list, `probabilities` lie between 0 and 1 and need
    not sum to 1, since only the best are kept.
    """

    numbers: tuple[int, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """One picture's embedding, and its classes where the embedder has any."""

    vector: Vector
    classes: Classes | None = None


class Embedder(Protocol):
    """Pictures to unit vectors. For one event loop; several calls may be under way at once."""

    name: str
    """What the user calls it: the value of `--model`."""

    version: str
    """Changes whenever the same picture would get another vector: vectors of two versions are
    never compared. With `name` it is the key of an embedding."""

    dimension: int | None
    """Of its vectors; None until the first answer of an embedder elsewhere."""

    most_pictures: int
    """So many pictures in one call at the most; what a call holds in memory is bounded by it."""

    async def embed(self, pictures: Sequence[bytes]) -> list[Embedded | ItemError]:
        """For each picture, in order, its embedding or why it got none.

        A picture is an encoded variant: JPEG, WebP or AVIF. The same picture gets the same
        vector, whatever else is in the call (to 1e-4 in each component). Raises EmbedError when
        the call as a whole failed and may succeed later, EmbedderUnusable when no call can.
        """

    async def close(self) -> None:
        """Release threads and connections. May be called twice."""


@runtime_checkable
class TextEmbedder(Embedder, Protocol):
    """An embedder whose words and pictures share one space."""

    async def embed_text(self, text: str) -> Vector:
        """The vector to compare pictures with."""
