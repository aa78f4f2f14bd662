"""The values that go into and come out of the manifest's hot statements.

They are named tuples rather than frozen dataclasses: a million of them are made in a run, and
SQLite takes and gives tuples.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from bulkup.errors import ErrorClass
from bulkup.model import Digest

Text = str | bytes
"""How a path lies in SQLite: TEXT where it is valid UTF-8, else the raw bytes as BLOB."""


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


class File(NamedTuple):
    """A file as a walk saw it: its name in its folder, and what tells whether it changed."""

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
    is_read: bool  # its content has a digest


class Broken(NamedTuple):
    """A file that the walk could not take, though the user would have wanted it."""

    folder: str
    name: str
    error_class: ErrorClass
    error: str


class Work(NamedTuple):
    """A claimed work item of the upload stage, and one file that has (or had) its content."""

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


class Read(NamedTuple):
    """A file that has been read: what the manifest must know before its bytes are sent."""

    work: Work
    digest: Digest
    file: File  # as it was while it was read
    media_type: str
    key: str  # where it should go


class Registered(NamedTuple):
    """What is to be done with a file that was read: send it under `key`, or nothing.

    `work` names the item that is now claimed; it differs from the one that was read when the
    content turned out to be known already. `key` is None for a duplicate, and for a work that is
    ours no longer (`is_lost`): another run has taken over the claim or the file. `is_begun` when
    the key was reserved earlier: the content may be there by now, with nobody left to say so.
    """

    work: Work
    key: str | None
    is_lost: bool = False
    is_begun: bool = False


class Done(NamedTuple):
    """A content that the destination now has."""

    work: Work
    key: str
    size_bytes: int
    etag: str | None
    checksum: str | None  # composite, for a multipart object
    seconds: float


class Failed(NamedTuple):
    """An attempt that ended without success; with `due_at` None the item is dead."""

    work: Work
    error_class: ErrorClass
    error: str
    request_id: str | None
    due_at: float | None
    seconds: float


class Copy(NamedTuple):
    """A duplicate that is to get an object of its own, copied by the store."""

    asset_id: int
    source_key: str
    key: str
    size_bytes: int
    path: str
