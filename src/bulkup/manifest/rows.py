"""The values that go into and come out of the manifest's hot statements.

They are named tuples rather than frozen dataclasses: a run makes a million of them, and SQLite
takes and returns tuples. Where one is made for each small file, of values that are a tuple already,
`tuple.__new__(WorkItem, values)` takes 2,600 instructions, `WorkItem(*values)` 4,000.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from bulkup.errors import ErrorClass
from bulkup.model import Digest

if TYPE_CHECKING:  # `status` need not know what a picture is
    from bulkup.content.picture.types import Metadata

Text = str | bytes
"""A path in SQLite: TEXT where it is valid UTF-8, else a BLOB of the raw bytes."""


def to_sql(path: str) -> Text:
    """A path as SQLite keeps it; surrogate-escaped bytes become a BLOB."""
    if path.isascii():
        return path
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_sql(path: Text) -> str:
    """The inverse of `to_sql`."""
    return path if isinstance(path, str) else os.fsdecode(path)


def as_text(message: str) -> str:
    """A message that names a path, as TEXT takes it: bytes that are no UTF-8 become \\udcXX."""
    return message.encode(errors="backslashreplace").decode()


def text_array(texts: Sequence[str]) -> str | None:
    """A JSON array whose texts queries find as they are read; None for an empty one."""
    return json.dumps([as_text(one) for one in texts], ensure_ascii=False) if texts else None


class File(NamedTuple):
    """A file as a scan saw it: its name in its folder, and what shows whether it changed."""

    name: str
    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int


class Known(NamedTuple):
    """An asset as the manifest has it."""

    file: File
    asset_id: int
    content_id: int
    is_missing: bool


class Unreadable(NamedTuple):
    """A file, folder or archive that the user wanted and the scan could not read."""

    folder: str
    name: str
    error_class: ErrorClass
    error: str


class WorkItem(NamedTuple):
    """A claimed work item, and one file that has (or had) its content."""

    item_id: int
    content_id: int
    asset_id: int
    root: str
    folder: str
    name: str
    size_bytes: int
    digest: Digest | None  # None until somebody has read the file
    attempts: int  # ended ones
    attempts_granted: int
    key: str | None = None  # of the stored object, at a stage after the upload
    strikes: int = 0
    is_suspect: bool = False  # a worker or a run vanished with it in hand: it is tried alone

    @property
    def path(self) -> str:
        """The file's absolute path."""
        return f"{self.root.rstrip('/')}/{self.folder}{self.name}"

    @property
    def known_digest(self) -> Digest:
        """The digest of a content that has been read: of every item after the upload."""
        assert self.digest is not None
        return self.digest


class Read(NamedTuple):
    """A file that has been read: what the manifest must know before its bytes are sent."""

    work: WorkItem
    digest: Digest
    file: File  # as it was while it was read
    media_type: str
    key: str  # where it should go


class Registered(NamedTuple):
    """What to do with a file that was read: send it under `key`, or nothing.

    `work` names the item that is now claimed; it differs from the one that was read when the
    content turned out to be known already. `key` is None for a duplicate, for a file that was only
    touched (`is_same`): its bytes are those that it had before, and for work that this run has lost
    (`is_lost`): another run has taken over the claim or the file. `is_begun` when the key was
    reserved earlier: the content may have been stored without being recorded.
    """

    work: WorkItem
    key: str | None
    is_lost: bool = False
    is_begun: bool = False
    is_same: bool = False


class Copy(NamedTuple):
    """A duplicate that is to get an object of its own, copied by the store."""

    asset_id: int
    source_key: str
    key: str
    size_bytes: int
    path: str


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


class UploadedItem(NamedTuple):
    """A content that the destination now has."""

    item: WorkItem
    key: str
    size_bytes: int
    etag: str | None
    checksum: str | None  # composite, for a multipart object
    seconds: float


class ProcessedItem(NamedTuple):
    """A content whose variants the destination has; perhaps with its embedding's vector and
    classes, see `EmbeddedItem`."""

    item: WorkItem
    variants: tuple[VariantRow, ...]
    metadata: Metadata
    seconds: float
    embedding: tuple[bytes, bytes | None] | None = None


class EmbeddedItem(NamedTuple):
    """A content's embedding: `vector` float16 little-endian, `classes` as the schema says.

    Both are None when the manifest has the embedding already, from another run or destination.
    """

    item: WorkItem
    vector: bytes | None
    classes: bytes | None
    seconds: float


class SkippedItem(NamedTuple):
    """An item that the stage does not apply to."""

    item: WorkItem
    reason: str
    seconds: float


class FailedItem(NamedTuple):
    """An attempt that ended without success; with `due_at` None the item is dead.

    With `is_strike` the worker was lost: then the number of strikes decides, not `due_at`.
    """

    item: WorkItem
    error_class: ErrorClass
    error: str
    request_id: str | None
    due_at: float | None
    seconds: float
    is_strike: bool = False


def latency_bucket(seconds: float) -> int:
    """Eight buckets to each doubling, so that a percentile is right within 9 %."""
    return round(8 * math.log2(max(seconds, 0.0001) * 1000))


def bucket_ms(bucket: int) -> float:
    """The middle of a latency bucket in milliseconds."""
    return float(2 ** (bucket / 8))
