"""What a task holds, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol

from bulkup.errors import ItemError
from bulkup.manifest.rows import EmbeddedItem, ProcessedItem, SkippedItem, Source, WorkItem
from bulkup.model import Digest, Stage
from bulkup.stores.store import SignedAccess

Outcome = ProcessedItem | EmbeddedItem | SkippedItem | ItemError

MOST_TASK_ITEMS = 500
"""Items of one task, and rows of one reply."""

MOST_REPLY_BYTES = 2 << 20
"""A worker begins no more items once its reply has so many bytes."""

MOST_TASK_SECONDS = 15.0
"""A worker begins no more items after this time; the last ones end within 20 s."""


@dataclass(frozen=True, slots=True)
class Task:
    """Claimed items of one stage at one destination, and what must be known of them.

    By item: `sources` are files of this machine; what to embed is in `fresh`, or is the variant
    under the key of `variant_keys`. Variants under `bad_keys` are replaced. Contents of `embedded`
    have an embedding already.
    """

    stage: Stage
    items: tuple[WorkItem, ...]
    sources: Mapping[int, tuple[Source, ...]] = field(default_factory=dict)
    fresh: Mapping[int, bytes] = field(default_factory=dict)
    variant_keys: Mapping[int, str] = field(default_factory=dict)
    bad_keys: frozenset[str] = frozenset()
    embedded: frozenset[int] = frozenset()  # content ids
    signed: SignedAccess | None = None  # for workers without credentials


class TaskReply(NamedTuple):
    """The outcomes of a task by item. What has none was not begun."""

    outcomes: dict[int, Outcome]
    seconds: float  # of the whole task
    digests: Mapping[int, Digest] = MappingProxyType({})  # by item: of those that had none


class Hands(Protocol):
    """Records what is in a worker's hands: who vanishes with it may have to blame it."""

    async def take(self, items: tuple[WorkItem, ...]) -> None: ...
    async def give_back(self, items: tuple[WorkItem, ...]) -> None: ...


class NoHands:
    """Records nothing: the engine notices itself which worker is gone."""

    async def take(self, items: tuple[WorkItem, ...]) -> None:
        """See Hands."""

    async def give_back(self, items: tuple[WorkItem, ...]) -> None:
        """See Hands."""
