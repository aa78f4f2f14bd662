"""Variants just made, kept in memory for the embed stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from bulkup.content.picture.spec import VariantSpec
from bulkup.content.picture.types import Variant

HELD_BYTES: Final = 48 << 20
"""About 250 previews; what does not fit is read back from the destination."""


def best_for_embedding(variants: Sequence[VariantSpec]) -> str:
    """Which variant an embedder is given: the smallest that is not smaller than its input.

    A side of 1440 px shrinks to the 256 that embedders ask for while it is decoded (JPEG's scaled
    decoding); from one of 256 px most of the picture would have to be enlarged.
    """
    enough = [spec for spec in variants if spec.size_px >= 512]
    chosen = (
        min(enough, key=lambda spec: spec.size_px)
        if enough
        else max(variants, key=lambda spec: spec.size_px)
    )
    return chosen.name


class VariantCache:
    """One variant of each of the last contents; the oldest goes when there are too many bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._bodies: OrderedDict[int, bytes] = OrderedDict()
        self._held_bytes = 0

    def keep(self, content_id: int, variants: Sequence[Variant]) -> None:
        """Keep the one that embedders are given, if it is among them."""
        for variant in variants:
            if variant.name == self.name:
                self.take(content_id)
                self._bodies[content_id] = variant.body
                self._held_bytes += len(variant.body)
        while self._held_bytes > HELD_BYTES:
            _, body = self._bodies.popitem(last=False)
            self._held_bytes -= len(body)

    def take(self, content_id: int) -> bytes | None:
        """The variant, which is forgotten here; None when it is not held."""
        body = self._bodies.pop(content_id, None)
        if body is not None:
            self._held_bytes -= len(body)
        return body
