"""A file read once: its bytes, stat and digest, consistent with each other.

The stat of the open file must be the same before and after reading. The digest is sent with the
bytes, so the store refuses bytes that changed in between (XAmzContentSHA256Mismatch).
"""

from __future__ import annotations

import io
import os
import stat as stat_module  # `stat` is a name for values here
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from bulkup.content.digest import digest_parts, digests_of
from bulkup.content.media import HEAD_BYTES, media_type
from bulkup.content.os_errors import kind_of
from bulkup.errors import SourceChanged, SourceError, SourceMissing
from bulkup.model import Body, Digest, FileStat


class Whole(NamedTuple):
    """A file read for one request, before its digest is computed."""

    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int
    media_type: str
    body: Body


class Loaded(NamedTuple):
    """A file that was read, and its digest. `body` is None for a file that is sent in parts."""

    digest: Digest
    size_bytes: int
    modified_ns: int
    inode: int
    changed_ns: int
    media_type: str
    body: Body | None
    part_digests: tuple[Digest, ...] = ()
    part_bytes: int = 0


_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Not blocking: a FIFO that replaced a file since the walk must not hang the reader."""


def is_member(folder: str) -> bool:
    """Whether the folder is a ZIP archive, and its names are members' paths."""
    return folder.endswith("#")


class BufferSource(Protocol):
    """A BufferPool, or memory that is shared with another process."""

    def take(self, size_bytes: int) -> memoryview | None:
        """A buffer of `size_bytes`; None when there is no room for it."""


def hashed(files: Sequence[Whole]) -> list[Loaded]:
    """The same files with their digests. Several together take less time than one by one."""
    digests = digests_of([file.body for file in files])
    new = tuple.__new__  # as in manifest/rows.py
    return [
        new(Loaded, (digest, *file, (), 0)) for digest, file in zip(digests, files, strict=True)
    ]


def read_whole(root: str, folder: str, name: str, buffers: BufferSource | None = None) -> Whole:
    """Read a file that fits into one request; into one of `buffers`, if there is room.

    Raises SourceMissing, SourceUnreadable, SourceUnavailable, SourceChanged when the file changed
    while it was read, and SourceInvalid for a damaged member of an archive.
    """
    if folder.endswith("#"):
        return _read_member(root, folder, name)
    try:
        descriptor = os.open(f"{root}/{folder}{name}", _OPEN)
        try:
            before = os.fstat(descriptor)
            _require_file(before.st_mode, folder + name)
            size = before.st_size
            body, count = _read(descriptor, size, buffers)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _named(error, folder + name) from error
    if (
        count != size
        or before.st_mtime_ns != after.st_mtime_ns
        or before.st_ctime_ns != after.st_ctime_ns
        or size != after.st_size
    ):
        raise SourceChanged(f"{folder}{name} changed while it was read")
    return Whole(
        *FileStat.of(before),
        media_type(name, bytes(body[:HEAD_BYTES])),
        body,
    )


def _read(descriptor: int, size: int, buffers: BufferSource | None) -> tuple[Body, int]:
    """`size` bytes, and how many could be read: one more is asked for, to notice growth."""
    view = None if buffers is None else buffers.take(size)
    if view is None:
        # In one call: a larger buffer costs more than the read, as the allocator maps new pages.
        body = os.read(descriptor, size + 1)
        while len(body) < size and (more := os.read(descriptor, size)):
            body += more
        return body, len(body)
    # As few calls as possible: after each one a thread has to acquire the interpreter lock again.
    beyond = bytearray(1)
    count = os.readv(descriptor, [view, beyond])
    while count < size and (got := os.readv(descriptor, [view[count:], beyond])):
        count += got
    return view, count


def read_in_parts(root: str, folder: str, name: str, part_bytes: int) -> Loaded:
    """The digest and part digests of a file that is too large for one request, in one pass.

    The bytes are read again, part by part, when they are sent. Raises what `read_whole` raises.
    """
    with open_source(root, folder, name) as (file, stat):
        head = _HeadReader(file)
        found = digest_parts(cast("BinaryIO", head), part_bytes)
        if not is_member(folder):
            _check_same(os.fstat(file.fileno()), stat, folder + name)
    if found.size_bytes != stat.size_bytes:
        raise SourceChanged(f"{folder}{name} changed while it was read")
    return Loaded(
        found.whole,
        stat.size_bytes,
        stat.modified_ns,
        stat.inode,
        stat.changed_ns,
        media_type(name, head.head),
        None,
        found.parts,
        part_bytes,
    )


@contextmanager
def open_source(root: str, folder: str, name: str) -> Iterator[tuple[BinaryIO, FileStat]]:
    """The file or archive member, open for sequential reading, and its stat now."""
    with _errors_named(folder + name):
        if is_member(folder):
            from bulkup.content.archive import find_member, open_member

            archive = f"{root}/{folder[:-1]}"
            stat = find_member(archive, name).stat
            with open_member(archive, name) as member:
                yield member, stat
            return
        descriptor = os.open(f"{root}/{folder}{name}", _OPEN)
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            _require_file(found.st_mode, folder + name)
            yield cast("BinaryIO", file), FileStat.of(found)


class _HeadReader(io.RawIOBase):
    """Reads a file and keeps its first bytes, for the media type."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.head = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._file.readinto(buffer) or 0)  # type: ignore[attr-defined]  # has it
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(memoryview(buffer)[: min(count, HEAD_BYTES - len(self.head))])
        return count


def _read_member(root: str, folder: str, name: str) -> Whole:
    with open_source(root, folder, name) as (file, stat):
        body = file.read()
    return Whole(
        *stat,
        media_type(name, body[:HEAD_BYTES]),
        body,
    )


def _check_same(now: os.stat_result, before: FileStat, path: str) -> None:
    if FileStat.of(now) != before:
        raise SourceChanged(f"{path} changed while it was read")


@contextmanager
def _errors_named(path: str) -> Iterator[None]:
    """The operating system's errors about this file as SourceError."""
    try:
        yield
    except OSError as error:
        raise _named(error, path) from error


def _require_file(mode: int, path: str) -> None:
    if not stat_module.S_ISREG(mode):
        raise SourceMissing(f"{path} is no longer a regular file")


def _named(error: OSError, path: str) -> SourceError:
    kind = kind_of(error)
    if kind is SourceMissing:
        return SourceMissing(f"{path} is gone")
    return kind(f"{path} cannot be read: {error.strerror}")
