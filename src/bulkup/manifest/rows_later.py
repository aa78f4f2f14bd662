"""The values that go into and come out of the statements about the stages after the upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bulkup.errors import ErrorClass
from bulkup.model import Digest

if TYPE_CHECKING:  # `status` need not know what a picture is
    from bulkup.content.picture.types import Metadata, Sidecar


class Item(NamedTuple):
    """A claimed work item of a stage after the upload, and one file that has its content.

    `key` is the object's, None while the store has it under none.
    """

    item_id: int
    content_id: int
    digest: Digest
    size_bytes: int
    key: str | None
    root: str
    folder: str
    name: str
    attempts: int  # ended ones
    attempts_granted: int
    strikes: int = 0

    @property
    def path(self) -> str:
        """The file's absolute path."""
        return f"{self.root.rstrip('/')}/{self.folder}{self.name}"


class Source(NamedTuple):
    """A file that has the content, or had it when it was last seen."""

    folder_id: int
    root: str
    folder: str
    name: str
    is_missing: bool


class VariantRow(NamedTuple):
    """A variant that the destination has."""

    kind: str
    key: str
    size_bytes: int
    digest: Digest
    etag: str | None


class ProcessedItem(NamedTuple):
    """A content whose variants the destination has."""

    item: Item
    variants: tuple[VariantRow, ...]
    metadata: Metadata
    sidecar: Sidecar | None
    seconds: float


class EmbeddedItem(NamedTuple):
    """A content's embedding: `vector` float16 little-endian, `classes` as the schema says.

    Both None when another run, or another destination, brought it meanwhile.
    """

    item: Item
    vector: bytes | None
    classes: bytes | None
    seconds: float


class SkippedItem(NamedTuple):
    """An item that the stage does not apply to."""

    item: Item
    reason: str
    seconds: float


class StageFailed(NamedTuple):
    """An attempt that ended without success; with `due_at` None the item is dead.

    With `is_strike` the worker was lost: then the strikes decide, and `due_at` says nothing.
    """

    item: Item
    error_class: ErrorClass
    error: str
    request_id: str | None
    due_at: float | None
    seconds: float
    is_strike: bool = False
