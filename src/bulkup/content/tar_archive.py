"""Tar archives as sources, plain or compressed by gzip: a member is read from the stream."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from bulkup.content.archive_names import ArchiveMember, RefusedMember
from bulkup.content.os_errors import kind_of
from bulkup.content.tar_headers import BLOCK
from bulkup.content.tar_index import AnyCursor, TarIndex, tar_index
from bulkup.errors import SourceInvalid, SourceMissing


def find_tar_member(path: str, name: str) -> ArchiveMember:
    """The member called `name`.

    Raises SourceMissing when the archive or the member is gone, SourceInvalid when it is refused.
    """
    found = tar_index(path).members.get(name)
    if found is None:
        raise SourceMissing(f"{path}#{name}: the archive has no such member")
    if isinstance(found, RefusedMember):
        raise SourceInvalid(f"{path}#{name}: {found.reason}")
    return found


def open_tar_member(path: str, name: str, *, limit_bytes: int) -> BinaryIO:
    """The bytes of the member called `name`, not seekable. The caller closes it.

    Raises what `find_tar_member` raises, and SourceInvalid for more than `limit_bytes`.
    """
    index = tar_index(path)
    found = find_tar_member(path, name)
    if found.stat.size_bytes > limit_bytes:
        raise SourceInvalid(f"{path}#{name}: larger than the limit of {limit_bytes} bytes")
    if name in index.notes:
        return io.BytesIO(index.notes[name])
    try:
        return cast("BinaryIO", io.BufferedReader(_MemberReader(index, found), 1 << 16))
    except OSError as error:
        raise kind_of(error)(f"{path}#{name}: {error.strerror}") from error


class _MemberReader(io.RawIOBase):
    """The bytes of one member."""

    def __init__(self, index: TarIndex, member: ArchiveMember) -> None:
        super().__init__()
        self._index = index
        self._name = f"{index.path}#{member.name}"
        self._left = member.stat.size_bytes
        self._end = member.stat.inode + -(-self._left // BLOCK) * BLOCK
        self._is_usable = True
        self._cursor: AnyCursor | None = index.cursor_at(member.stat.inode, self._end)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # Buffer is of Python 3.12
        """Read up to `len(buffer)` bytes; 0 at the end. Raises SourceInvalid."""
        if self._cursor is None or self._left == 0:
            return 0
        self._is_usable = False
        try:
            data = self._cursor.read(min(len(buffer), self._left))
        except OSError as error:
            raise kind_of(error)(f"{self._name}: {error.strerror}") from error
        except SourceInvalid as error:
            raise SourceInvalid(f"{self._name}: {error}") from error
        if not data:
            raise SourceInvalid(f"{self._name}: the archive is truncated")
        self._is_usable = True
        self._left -= len(data)
        if self._left == 0:
            self._index.require_same(self._cursor.fileno())
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self._cursor is not None:
            cursor, self._cursor = self._cursor, None
            self._index.give_back(cursor, self._end, is_usable=self._is_usable)
        super().close()
