"""What tar archives hold, plain or compressed by gzip, and the places from which it is read.

The archive is inflated once to list its members. Whoever reads members in their order then inflates
it once more, however many threads read: each continues where another one ended. Small JSON files,
which Google Takeout has one of for each picture, are kept from the first time.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from bulkup.content.archive_names import ArchiveMember, RefusedMember, distinct, why_unsafe
from bulkup.content.gzip_cursor import Checkpoints, Cursor
from bulkup.content.os_errors import kind_of
from bulkup.content.tar_headers import TarMember, read_exactly, tar_members
from bulkup.errors import SourceChanged, SourceInvalid, SourceMissing
from bulkup.model import INODE_MASK, MAX_NS, FileStat

_MOST_ARCHIVES: Final = 4
_MOST_CURSORS: Final = 4
_NOTE_BYTES: Final = 16 << 10
_NOTES_BYTES: Final = 32 << 20
_TURN_SECONDS: Final = 2.0
"""How long a reader waits for one that is about to arrive where it wants to start: a reader that is
slow, since it sends what it reads, must not hold up all others."""

_GZIP_MAGIC: Final = b"\x1f\x8b"


class _Plain:
    """A tar file that is not compressed, as a cursor."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0
        self._size = os.fstat(file.fileno()).st_size

    def read(self, most: int) -> bytes:
        data = self._file.read(min(most, 1 << 20))
        self.position += len(data)
        return data

    def skip_to(self, position: int) -> None:
        if position > self._size:
            raise SourceInvalid("the archive is truncated")
        self._file.seek(position)
        self.position = position

    def close(self) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()


AnyCursor = _Plain | Cursor


@dataclass
class TarIndex:
    """What is known of one archive, and the cursors that wait in it."""

    path: str
    identity: tuple[int, int, int]  # size, modification time, inode
    is_gzip: bool
    members: dict[str, ArchiveMember | RefusedMember] = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    idle: list[Cursor] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of the members that are being read
    wanted: list[int] = field(default_factory=list)  # starts of members that readers wait for
    changed: threading.Condition = field(default_factory=threading.Condition)

    def cursor_at(self, offset: int, end: int) -> AnyCursor:
        """A cursor at `offset`, to read until `end`; `give_back` it.

        Raises OSError, and SourceChanged if the archive is another one now.
        """
        file = open(self.path, "rb")  # noqa: SIM115 - the cursor closes it
        try:
            self.require_same(file.fileno())
        except SourceChanged:
            file.close()
            raise
        if not self.is_gzip:
            plain = _Plain(file)
            plain.skip_to(offset)
            return plain
        with self.changed:
            self.wanted.append(offset)
            try:
                self.changed.wait_for(lambda: self._is_turn(offset), _TURN_SECONDS)
            finally:
                self.wanted.remove(offset)
            cursor = self._take_nearest(offset)
            self.ends.append(end)
        if cursor is None:
            cursor = Cursor(file, self.checkpoints.before(offset))
        else:
            cursor.resume(file)
        try:
            cursor.skip_to(offset)
        except BaseException:
            cursor.close()
            self._ended(end)
            raise
        return cursor

    def give_back(self, cursor: AnyCursor, end: int, *, is_usable: bool) -> None:
        """The reader of a member has ended."""
        cursor.close()
        if not isinstance(cursor, Cursor):
            return
        with self.changed:
            if is_usable:
                self.idle.append(cursor)
            del self.idle[:-_MOST_CURSORS]
        self._ended(end)

    def require_same(self, descriptor: int) -> None:
        """Raise SourceChanged if the open file is not the archive that was listed."""
        if _identity(descriptor) != self.identity:
            raise SourceChanged(f"{self.path} changed while it was read")

    def _ended(self, end: int) -> None:
        with self.changed:
            self.ends.remove(end)
            self.changed.notify_all()

    def _start(self, offset: int) -> int:
        """Where a reader that wants `offset` would have to start now."""
        before = self.checkpoints.before(offset)
        idle = [one.position for one in self.idle if one.position <= offset]
        return max([*idle, 0 if before is None else before.position])

    def _is_turn(self, offset: int) -> bool:
        """Whether no other reader is, or will be, between the start and `offset`."""
        start = self._start(offset)
        between = (*self.ends, *(one for one in self.wanted if one < offset))
        return not any(start < one <= offset for one in between)

    def _take_nearest(self, offset: int) -> Cursor | None:
        start = self._start(offset)
        for cursor in self.idle:
            if cursor.position == start:
                self.idle.remove(cursor)
                return cursor
        return None


_cached: OrderedDict[tuple[str, int, int, int], TarIndex] = OrderedDict()
_cache_lock = threading.Lock()


def tar_index(path: str) -> TarIndex:
    """The members of the archive at `path`; kept until it changes, for the archives used last.

    Raises SourceInvalid for a damaged archive, and what `kind_of` says for the file's errors.
    """
    try:
        with open(path, "rb") as file:
            identity = _identity(file.fileno())
            key = (path, *identity)
            with _cache_lock:
                if (cached := _cached.get(key)) is not None:
                    _cached.move_to_end(key)
                    return cached
            index = _read_index(path, file, identity)
    except FileNotFoundError as error:
        raise SourceMissing(f"{path}: no such archive") from error
    except OSError as error:
        raise kind_of(error)(f"{path}: {error.strerror}") from error
    except SourceInvalid as error:
        raise SourceInvalid(f"{path}: {error}") from error
    with _cache_lock:
        _cached[key] = index
        while len(_cached) > _MOST_ARCHIVES:
            _cached.popitem(last=False)
    return index


def _identity(descriptor: int) -> tuple[int, int, int]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns, found.st_ino


def _read_index(path: str, file: BinaryIO, identity: tuple[int, int, int]) -> TarIndex:
    is_gzip = file.read(2) == _GZIP_MAGIC
    index = TarIndex(path, identity, is_gzip)
    file.seek(0)
    stream: AnyCursor = Cursor(file) if is_gzip else _Plain(file)
    kept = 0
    bodies: list[bytes | None] = []

    def take(member: TarMember) -> None:
        nonlocal kept
        if isinstance(stream, Cursor):
            index.checkpoints.offer(stream)
        is_note = member.name.lower().endswith(".json") and member.size_bytes <= _NOTE_BYTES
        body = None
        if is_note and not member.refusal and kept + member.size_bytes <= _NOTES_BYTES:
            body = read_exactly(stream, member.size_bytes)
            kept += len(body)
        bodies.append(body)

    found = list(tar_members(stream, on_member=take))
    while stream.read(1 << 18):  # zeros; at its end the archive's checksum is compared
        pass
    names = distinct([_normal(member.name) for member in found])
    for name, member, body in zip(names, found, bodies, strict=True):
        index.members[name] = _judged(name, member, identity[1])
        if body is not None:
            index.notes[name] = body
    return index


def _judged(name: str, member: TarMember, changed_ns: int) -> ArchiveMember | RefusedMember:
    reason = why_unsafe(name) or member.refusal
    if reason is not None:
        return RefusedMember(name, reason)
    modified_ns = min(max(member.modified_ns, 1 - MAX_NS), MAX_NS - 1)
    stat = FileStat(member.size_bytes, modified_ns, member.offset & INODE_MASK, changed_ns)
    return ArchiveMember(name, stat, packed_bytes=member.size_bytes, is_deflated=False)


def _normal(name: str) -> str:
    """The path without empty and `.` components; absolute paths stay absolute."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)
