"""What a run and its second process say to each other, over a stream socket.

A frame is a kind (1 byte), the body's length (4 bytes, big-endian) and the body: the message's
fields, marshalled where there is one for each file, else pickled. Each order gets one answer, in
order.
"""

from __future__ import annotations

import marshal
import pickle
import struct
from typing import Any, Final, NamedTuple

from bulkup.content.reading import Loaded
from bulkup.manifest.rows import Registered, UploadedItem, WorkItem
from bulkup.model import Digest
from bulkup.run.upload.target import UploadTarget
from bulkup.stores.store import RequestSigner

HEADER: Final = struct.Struct(">BI")


class Start(NamedTuple):
    """The first order: open the manifest. Answered by Ok when the process is ready."""

    manifest: str
    target: UploadTarget


class UseSigner(NamedTuple):
    """From now on make the requests of loaded files with this, or with None no requests."""

    signer: RequestSigner | None


class LoadFiles(NamedTuple):
    """Read these items' files into the shared memory from `begin` to `end`, and register them.
    Answered by IngestRows."""

    begin: int
    end: int
    items: list[tuple[Any, ...]]  # WorkItem

    @staticmethod
    def of(begin: int, end: int, items: list[WorkItem]) -> LoadFiles:
        return LoadFiles(begin, end, [tuple(item) for item in items])


class SettleUploads(NamedTuple):
    """Record contents that the destination has; see `UploadQueue.settle`."""

    now: float
    follows: str | None
    done: list[tuple[Any, ...]]  # UploadedItem, with its item as a tuple

    @staticmethod
    def of(now: float, follows: str | None, done: list[UploadedItem]) -> SettleUploads:
        return SettleUploads(now, follows, [(tuple(one.item), *one[1:]) for one in done])

    def uploaded(self) -> list[UploadedItem]:
        new = tuple.__new__
        return [new(UploadedItem, (new(WorkItem, item), *rest)) for item, *rest in self.done]


class Ok(NamedTuple):
    """The order is carried out."""


class IngestRow(NamedTuple):
    """A file that was read and registered."""

    digest: Digest
    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int
    media_type: str
    begin: int  # of its bytes in the shared memory
    head_bytes: int  # so many bytes before them are the head of its request
    key: str | None
    is_lost: bool
    is_begun: bool
    is_same: bool
    other: tuple[Any, ...] | None  # the WorkItem, where it is not the one that was asked for

    def loaded(self, body: bytes | memoryview) -> Loaded:
        """The fields of Loaded in their order: see manifest/rows.py for the cost of naming them."""
        return tuple.__new__(Loaded, (*self[:6], body, (), 0))

    def registered(self, asked: WorkItem) -> Registered:
        item = asked if self.other is None else WorkItem(*self.other)
        values = (item, self.key, self.is_lost, self.is_begun, self.is_same)
        return tuple.__new__(Registered, values)


class IngestRows(NamedTuple):
    """One for each item, in order; None for a file that could not be read."""

    rows: list[tuple[Any, ...] | None]  # IngestRow


class Raised(NamedTuple):
    """The order raised this error."""

    error: Exception


Order = Start | UseSigner | LoadFiles | SettleUploads
Answer = Ok | IngestRows | Raised

_KINDS: Final = (Start, UseSigner, LoadFiles, SettleUploads, Ok, IngestRows, Raised)
_PICKLED: Final = {Start, UseSigner, Raised}


def encode(message: Order | Answer) -> bytes:
    """The message as a frame."""
    kind = type(message)
    dump = pickle.dumps if kind in _PICKLED else marshal.dumps
    body = dump(tuple[Any, ...](message))
    return HEADER.pack(_KINDS.index(kind), len(body)) + body


def decode(kind: int, body: bytes) -> Any:
    """The message of a frame with this kind and body."""
    message = _KINDS[kind]
    load = pickle.loads if message in _PICKLED else marshal.loads
    return message(*load(body))  # from our own parent or child
