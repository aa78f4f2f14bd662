"""The members of a tar archive, from its headers (POSIX.1-2017, pax; GNU tar's long names)."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple, Protocol

from bulkup.errors import SourceInvalid

BLOCK: Final = 512
MOST_EXTRA_BYTES: Final = 1 << 20
"""Names and other records of one member: paths have 4 KiB."""

MOST_MEMBERS: Final = 1_000_000

_FILES: Final = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_GNU_NAMES: Final = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_KINDS: Final = {
    tarfile.SYMTYPE: "symbolic link in an archive",
    tarfile.LNKTYPE: "hard link in an archive",
    tarfile.GNUTYPE_SPARSE: "sparse file in an archive",
}


class TarMember(NamedTuple):
    """A file in a tar archive. `refusal` says why it cannot be read."""

    name: str
    size_bytes: int
    modified_ns: int
    offset: int  # of its first byte
    refusal: str | None = None


class Stream(Protocol):
    """Bytes that are read forwards."""

    @property
    def position(self) -> int: ...
    def read(self, most: int) -> bytes: ...
    def skip_to(self, position: int) -> None: ...


def tar_members(stream: Stream, *, on_member: Callable[[TarMember], None]) -> Iterator[TarMember]:
    """All members but folders, in their order. `on_member` is called where its bytes begin, and
    may read them.

    Raises SourceInvalid for a damaged or truncated archive.
    """
    extra: dict[str, str] = {}
    for_all: dict[str, str] = {}
    for _ in range(MOST_MEMBERS):
        info = _header(stream)
        if info is None:
            return
        begin = stream.position
        end = begin + -(-info.size // BLOCK) * BLOCK
        if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            extra |= _records(_extra(stream, info.size))
        elif info.type == tarfile.XGLTYPE:
            for_all |= _records(_extra(stream, info.size))
        elif info.type in _GNU_NAMES:
            text = _extra(stream, info.size).partition(b"\0")[0]
            if info.type == tarfile.GNUTYPE_LONGNAME:
                extra["path"] = text.decode("utf-8", "surrogateescape")
        else:
            member, end = _member(info, begin, {**for_all, **extra})
            extra = {}
            if member is not None:
                on_member(member)
                yield member
        stream.skip_to(end)
    raise SourceInvalid(f"the archive has more than {MOST_MEMBERS:,} members")


def _header(stream: Stream) -> tarfile.TarInfo | None:
    """The next header; None at the end."""
    block = read_exactly(stream, BLOCK)
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        if not block.strip(b"\0"):
            return None
        raise SourceInvalid(f"broken or truncated tar archive ({error})") from error


def _member(
    info: tarfile.TarInfo, begin: int, extra: dict[str, str]
) -> tuple[TarMember | None, int]:
    """The member, None for a folder, and where its bytes end."""
    size = info.size if info.type not in (tarfile.LNKTYPE, tarfile.SYMTYPE) else 0
    with suppress(ValueError):
        size = int(extra.get("size", size))
    if size < 0:
        raise SourceInvalid("broken tar archive (negative size)")
    end = begin + -(-size // BLOCK) * BLOCK
    name = extra.get("path", info.name)
    if info.type == tarfile.DIRTYPE or (info.type == tarfile.AREGTYPE and name.endswith("/")):
        return None, end
    refusal = None
    if "GNU.sparse.major" in extra or "GNU.sparse.map" in extra:
        refusal = _KINDS[tarfile.GNUTYPE_SPARSE]
    elif info.type not in _FILES:
        refusal = _KINDS.get(info.type, "neither file nor folder")
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise SourceInvalid("sparse files of GNU tar's old format are not supported")
    return TarMember(name, size, _modified_ns(info, extra), begin, refusal), end


def _modified_ns(info: tarfile.TarInfo, extra: dict[str, str]) -> int:
    try:
        return int(Decimal(extra.get("mtime", str(info.mtime))) * 1_000_000_000)
    except (InvalidOperation, ValueError, OverflowError):
        return 0


def _extra(stream: Stream, size: int) -> bytes:
    if size > MOST_EXTRA_BYTES:
        raise SourceInvalid(f"broken tar archive (a header of {size} bytes)")
    return read_exactly(stream, size)


def _records(data: bytes) -> dict[str, str]:
    """pax records: `length key=value` and a newline, where the length counts all of that."""
    found = {}
    while data.strip(b"\0"):
        digits, _, _ = data.partition(b" ")
        if not digits.isdigit() or not len(digits) + 3 <= int(digits) <= len(data):
            raise SourceInvalid("broken tar archive (a pax record)")
        record, data = data[len(digits) + 1 : int(digits) - 1], data[int(digits) :]
        key, _, value = record.partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
    return found


def read_exactly(stream: Stream, count: int) -> bytes:
    """The next `count` bytes. Raises SourceInvalid where the stream ends before."""
    parts = []
    while count:
        data = stream.read(count)
        if not data:
            raise SourceInvalid("the archive is truncated")
        parts.append(data)
        count -= len(data)
    return b"".join(parts)
