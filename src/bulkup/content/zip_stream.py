"""One ZIP member as a stream with limits (APPNOTE 6.3.10, 4.3.7)."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Final, NamedTuple

from bulkup.content.os_errors import kind_of
from bulkup.errors import SourceInvalid

RATIO_LIMIT: Final = 200  # deflate reaches 1032:1 on zeros; no picture comes near 200:1
RATIO_FREE_BYTES: Final = 10 << 20  # below this size a high ratio does no harm

_INPUT_BYTES: Final = 1 << 16
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")  # signature, then lengths of name and extra field
_LOCAL_SIGNATURE: Final = b"PK\x03\x04"


class DeclaredMember(NamedTuple):
    """What the central directory says of a member."""

    header_offset: int
    packed_bytes: int
    size_bytes: int
    crc: int
    is_deflated: bool


def is_bomb(packed_bytes: int, size_bytes: int) -> bool:
    """Whether so many bytes must not come out of so many packed ones."""
    return size_bytes > max(RATIO_FREE_BYTES, packed_bytes * RATIO_LIMIT)


class MemberReader(io.RawIOBase):
    """The bytes of one member, in order, from an open archive that this reader owns from now on.

    It returns exactly the declared bytes, or raises SourceInvalid: at once for a surplus byte or a
    bomb, and before the last bytes for a wrong CRC or an early end.
    """

    def __init__(self, archive: io.BufferedReader, name: str, member: DeclaredMember) -> None:
        super().__init__()
        self._archive = archive
        self._name = name
        self._packed_left = self._packed_bytes = member.packed_bytes
        self._left = self._size_bytes = member.size_bytes
        self._crc = member.crc
        self._crc_so_far = 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if member.is_deflated else None
        self._skip_header(member.header_offset)
        if self._size_bytes == 0:
            self._check_end()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # Buffer is of Python 3.12
        """Read up to `len(buffer)` bytes; 0 at the end. Raises SourceInvalid."""
        if self._left == 0 or len(buffer) == 0:
            return 0
        data = self._step(min(len(buffer), self._left))
        if not data:
            raise self._invalid(f"ends after {self._given} of {self._size_bytes} bytes")
        self._left -= len(data)
        self._crc_so_far = zlib.crc32(data, self._crc_so_far)
        if is_bomb(self._consumed, self._given):
            raise self._invalid(
                f"decompression bomb: {self._consumed} bytes inflate to {self._given} and more"
            )
        if self._left == 0:
            self._check_end()
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._archive.close()
        super().close()

    @property
    def _given(self) -> int:
        return self._size_bytes - self._left

    @property
    def _consumed(self) -> int:
        waiting = len(self._inflater.unconsumed_tail) if self._inflater is not None else 0
        return self._packed_bytes - self._packed_left - waiting

    def _step(self, most: int) -> bytes:
        """The next bytes, 1 to `most` of them; none at the end of the packed data."""
        inflater = self._inflater
        if inflater is None:
            return self._packed(most)
        while not inflater.eof:
            packed = inflater.unconsumed_tail or self._packed(_INPUT_BYTES)
            try:
                data = inflater.decompress(packed, most)
            except zlib.error as error:
                raise self._invalid(f"broken: {error}") from error
            if data or not packed:
                return data
        return b""

    def _packed(self, most: int) -> bytes:
        try:
            data = self._archive.read(min(most, self._packed_left))
        except OSError as error:
            raise kind_of(error)(f"{self._name}: {error.strerror}") from error
        self._packed_left -= len(data)
        return data

    def _check_end(self) -> None:
        if self._step(1):
            raise self._invalid(f"holds more than the {self._size_bytes} bytes it declares")
        if self._inflater is not None and not self._inflater.eof:
            raise self._invalid("ends in the middle of its compressed data")
        if self._crc_so_far != self._crc:
            raise self._invalid("wrong CRC-32: the archive is damaged")

    def _skip_header(self, offset: int) -> None:
        try:
            self._archive.seek(max(offset, 0))  # a damaged directory can point before the start
            header = self._archive.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
                raise self._invalid("has no header where the central directory says")
            _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
            self._archive.seek(name_bytes + extra_bytes, io.SEEK_CUR)
        except OSError as error:
            raise kind_of(error)(f"{self._name}: {error.strerror}") from error

    def _invalid(self, what: str) -> SourceInvalid:
        return SourceInvalid(f"{self._name}: {what}")
