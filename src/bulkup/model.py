"""Frozen values that pass between the layers. Sizes are bytes, times seconds unless named `_ns`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from os import stat_result
from types import MappingProxyType
from typing import Final, NamedTuple, NewType

from bulkup.errors import ErrorClass

Digest = NewType("Digest", str)
"""The SHA-256 of a content, 64 lower-case hex characters."""

Body = bytes | memoryview
"""Bytes to store. A view is one-dimensional, of single bytes, and its memory does not change while
anything refers to it."""


class Stage(StrEnum):
    """What is done with each content, in this order."""

    UPLOAD = "upload"
    PROCESS = "process"
    EMBED = "embed"


class State(StrEnum):
    """The state of a work item."""

    READY = "ready"
    CLAIMED = "claimed"
    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"
    DEAD = "dead"


INODE_MASK = (1 << 63) - 1
"""Inodes are kept modulo 2**63: some file systems use the top bit, which SQLite cannot store."""

MAX_NS = (1 << 63) - 1
"""The latest time of a file, in nanoseconds since 1970 (2262-04-11): SQLite has 64 bits. Times
beyond it, and before its negative, are kept as this limit."""
LEAST_NS = -MAX_NS


def clamp_ns(time_ns: int) -> int:
    """A time within ±MAX_NS: file systems and archives can hold dates of any year."""
    return max(LEAST_NS, min(time_ns, MAX_NS))


class FileStat(NamedTuple):
    """Tells a changed file from an unchanged one without reading it."""

    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int  # ctime: catches an edit that restored the old mtime

    @classmethod
    def of(cls, found: stat_result) -> FileStat:
        """The values as the manifest keeps them. Made twice for each file: so it makes no calls."""
        modified_ns, changed_ns = found.st_mtime_ns, found.st_ctime_ns
        if not (LEAST_NS <= modified_ns <= MAX_NS and LEAST_NS <= changed_ns <= MAX_NS):
            modified_ns, changed_ns = clamp_ns(modified_ns), clamp_ns(changed_ns)
        return cls(found.st_size, modified_ns, found.st_ino & INODE_MASK, changed_ns)


class LeftOut(NamedTuple):
    """A file that the walk did not select, or could not read; `reason` is for people.

    `folder` is the path of its directory relative to the root, '' or ending in '/'; for a member
    of a ZIP archive it is the archive's relative path ending in '#'. `folder + name` is the path
    under the root. Bytes that are not UTF-8 are surrogate-escaped in both.
    `error_class` is None for what was left out by rule (junk, filters, a socket), and set where
    the user would have wanted the file (an unreadable directory, an encrypted ZIP member): then it
    becomes a dead asset.
    """

    folder: str
    name: str
    reason: str
    error_class: ErrorClass | None = None


_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


class Attributes(NamedTuple):
    """What is stored beside the bytes of an object."""

    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = _EMPTY  # without the x-amz-meta- prefix
    cache_control: str | None = None
    storage_class: str | None = None
    tags: Mapping[str, str] = _EMPTY


class Stored(NamedTuple):
    """What a store returns for an object that it has just stored."""

    etag: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows about an object without reading it.

    `digest` is known only if the object carries it (x-amz-meta-sha256, or the record of a
    directory store); a listing may omit `digest`, `content_type` and `metadata`. `checksum` is the
    store's own SHA-256 of the bytes, in base64; of a multipart object it is the composite of the
    parts' digests (content.digest.composite), perhaps without its `-N`.
    """

    key: str
    size_bytes: int
    etag: str | None = None
    modified_at: float | None = None
    digest: Digest | None = None
    content_type: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    checksum: str | None = None


class Part(NamedTuple):
    """One stored part of a multipart upload; numbers start at 1."""

    number: int
    size_bytes: int
    etag: str
    digest: Digest | None = None


class StageCount(NamedTuple):
    """The numbers of one progress bar. `total` grows during the scan."""

    done: int = 0
    skipped: int = 0
    failed: int = 0  # attempts that failed: waiting, dead, or done by a later one
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    dead: int = 0  # of `failed`: not tried again
    # Of `done`, at the upload:
    duplicates: int = 0  # and files that were only touched: nothing follows them
    sent_bytes: int = 0


class Snapshot(NamedTuple):
    """The current progress of a run; taken at most ten times a second."""

    stages: Mapping[str, StageCount]  # the stages of this run, in order
    walking: bool
    walked_files: int
    window: int  # limit on requests in flight
    in_flight: int
    throttled: int
    errors: int
    elapsed_seconds: float
    paused: str | None = None
    is_stopping: bool = False  # by a signal
    destination: str = ""
    in_hand: tuple[tuple[str, int], ...] = ()  # path and bytes of the files begun first
    last_error: str | None = None
    workers: int = 0  # of a cluster, with so many tasks out
    tasks_out: int = 0


def total_of(snapshot: Snapshot) -> StageCount:
    """The done and failed items of all stages together."""
    stages = snapshot.stages.values()
    return StageCount(
        done=sum(stage.done for stage in stages), failed=sum(stage.failed for stage in stages)
    )
