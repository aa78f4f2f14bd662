"""ZIP archives as sources: their members are listed, and inflated as they are read, never to disk.

Format: PKWARE APPNOTE 6.3.10. `zipfile` reads the central directory; the members' bytes are
inflated here, because a bomb must be stopped at a byte count and `zipfile` stops silently at the
declared size. Methods other than stored and deflated are refused: nothing bounds what one call
of their decompressors returns, and cameras and photo services write neither.
"""

from __future__ import annotations

import calendar
import io
import os
import re
import stat
import threading
from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from bulkup.content.os_errors import kind_of
from bulkup.content.zip_stream import MemberReader
from bulkup.errors import SourceInvalid, SourceMissing
from bulkup.model import FileStat

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

LIMIT_BYTES: Final = 500 << 20  # SPEC: the file limit of the process stage, for members too
RATIO_LIMIT: Final = 200  # deflate reaches 1032:1 on zeros; no picture comes near 200:1
RATIO_FREE_BYTES: Final = 10 << 20  # below this size a high ratio harms nobody

_KEPT_DIRECTORIES: Final = 4  # one for each archive a crew is likely to read at once
_ENCRYPTED_FLAGS: Final = 0x1 | 0x40 | 0x2000  # bits 0, 6 and 13 (APPNOTE 4.4.4)
_STORED, _DEFLATED = 0, 8  # methods (APPNOTE 4.4.5)
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_DOS_EPOCH_SECONDS: Final = 315_532_800  # 1980-01-01, for dates that are none


class Member(NamedTuple):
    """A member that can be read.

    `name` is its path in the archive: `/` between folders, no empty and no `.` component. Of two
    members with one name the first in the central directory keeps it, the next is `stem~2.ext`
    (then `~3`, …, the first that is free), so that none hides another. `stat` has the declared
    size, the date of the entry taken as UTC (ZIP has no time zone), the offset of the local header
    as inode and the CRC-32 as `changed_ns`: together they tell a changed member from an unchanged
    one without inflating it.
    """

    name: str
    stat: FileStat
    packed_bytes: int
    is_deflated: bool


class Refused(NamedTuple):
    """A member that must not or cannot be read, and why. `name` is distinct as a Member's is."""

    name: str
    reason: str


def members(path: str, *, limit_bytes: int = LIMIT_BYTES) -> Iterator[Member | Refused]:
    """Every member of the archive but its folders, in the order of the central directory.

    Refused are encrypted members, symbolic links and other special files, names that lead out of
    the archive, unknown methods, and sizes or ratios above the limits, as far as they are declared.
    Raises SourceInvalid when there is no sound central directory, and otherwise what
    `kind_of` says.
    """
    with _opened(path) as file:
        directory = _directory(path, file, limit_bytes)
    yield from directory.values()


def find_member(path: str, name: str, *, limit_bytes: int = LIMIT_BYTES) -> Member:
    """The member called `name`, by `Member.name`.

    Raises SourceMissing when the archive or the member is gone, SourceInvalid when it is refused.
    """
    with _opened(path) as file:
        return _find(path, file, name, limit_bytes)


def open_member(path: str, name: str, *, limit_bytes: int = LIMIT_BYTES) -> BinaryIO:
    """The bytes of the member called `name`; the caller closes it. It cannot seek.

    Reading raises SourceInvalid as soon as the member gives more or less than it declares, more
    than `limit_bytes` or than RATIO_LIMIT allows, or has another CRC; the last bytes come only
    after all of that was checked. Safe from any thread; one reader belongs to one thread.
    The central directory is kept for the archives read last, while they do not change.
    """
    file = _opened(path)
    try:
        member = _find(path, file, name, limit_bytes)
        reader = MemberReader(
            file,
            name=f"{path}#{name}",
            header_offset=member.stat.inode,
            packed_bytes=member.packed_bytes,
            size_bytes=member.stat.size_bytes,
            crc=member.stat.changed_ns,
            is_deflated=member.is_deflated,
            most_bytes=lambda packed: max(RATIO_FREE_BYTES, packed * RATIO_LIMIT),
        )
    except BaseException:
        file.close()
        raise
    return cast("BinaryIO", io.BufferedReader(reader, 1 << 16))


_Directory = dict[str, Member | Refused]
_kept: OrderedDict[tuple[str, int, int, int, int], _Directory] = OrderedDict()
_kept_lock = threading.Lock()


def _opened(path: str) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise SourceMissing(f"{path}: no such archive") from error
    except OSError as error:
        raise kind_of(error)(f"{path}: {error.strerror}") from error


def _find(path: str, file: io.BufferedReader, name: str, limit_bytes: int) -> Member:
    found = _directory(path, file, limit_bytes).get(name)
    if found is None:
        raise SourceMissing(f"{path}#{name}: the archive has no such member")
    if isinstance(found, Refused):
        raise SourceInvalid(f"{path}#{name}: {found.reason}")
    return found


def _directory(path: str, file: io.BufferedReader, limit_bytes: int) -> _Directory:
    seen = os.fstat(file.fileno())
    key = (path, seen.st_size, seen.st_mtime_ns, seen.st_ino, limit_bytes)
    with _kept_lock:
        if (kept := _kept.get(key)) is not None:
            _kept.move_to_end(key)
            return kept
    directory = _read_directory(path, file, limit_bytes)
    with _kept_lock:
        _kept[key] = directory
        while len(_kept) > _KEPT_DIRECTORIES:
            _kept.popitem(last=False)
    return directory


def _read_directory(path: str, file: io.BufferedReader, limit_bytes: int) -> _Directory:
    import zipfile  # most runs meet no archive

    try:
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not _is_folder(info)]
    except OSError as error:
        raise kind_of(error)(f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        # ValueError: a seek before the start, or a name that is not the UTF-8 its flag promises.
        raise SourceInvalid(f"{path}: broken or truncated ZIP archive ({error})") from error
    names = _distinct([_name(info) for info in infos])
    return {name: _judged(info, name, limit_bytes) for name, info in zip(names, infos, strict=True)}


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith("/") or stat.S_ISDIR(info.external_attr >> 16)


def _judged(info: zipfile.ZipInfo, name: str, limit_bytes: int) -> Member | Refused:
    reason = _why_refused(info, name, limit_bytes)
    if reason is not None:
        return Refused(name, reason)
    return Member(
        name=name,
        stat=FileStat(
            size_bytes=info.file_size,
            modified_ns=_seconds(info.date_time) * 1_000_000_000,
            inode=info.header_offset,
            changed_ns=info.CRC,
        ),
        packed_bytes=info.compress_size,
        is_deflated=info.compress_type == _DEFLATED,
    )


def _why_refused(info: zipfile.ZipInfo, name: str, limit_bytes: int) -> str | None:
    escape = why_unsafe(name)
    if escape is not None:
        return escape
    if info.flag_bits & _ENCRYPTED_FLAGS:
        return "encrypted member"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "symbolic link in an archive"
    if kind not in (0, stat.S_IFREG):
        return "neither file nor folder"
    if info.compress_type not in (_STORED, _DEFLATED):
        return f"compression method {info.compress_type} is not supported"
    if info.file_size > limit_bytes:
        return f"declares {info.file_size} bytes, more than the limit of {limit_bytes}"
    if info.file_size > max(RATIO_FREE_BYTES, info.compress_size * RATIO_LIMIT):
        return f"decompression bomb: {info.compress_size} bytes declare {info.file_size}"
    return None


def why_unsafe(name: str) -> str | None:
    """Why a member of this name is refused, or None. A backslash counts as a separator."""
    parts = name.replace("\\", "/").split("/")
    if not name:
        return "member without a name"
    if parts[0] == "":
        return "absolute path in an archive"
    if _DRIVE.match(name):
        return "path with a drive letter in an archive"
    if ".." in parts:
        return "path that leaves the archive"
    return None


def _name(info: zipfile.ZipInfo) -> str:
    """The member's path: without empty and `.` components, but still absolute if it was.

    `zipfile` takes names without the UTF-8 flag for cp437; macOS writes UTF-8 without the flag.
    Bytes that are sound UTF-8 beyond ASCII are therefore read as UTF-8.
    """
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            name = info.filename
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


def _distinct(names: list[str]) -> list[str]:
    """`names` with `~2`, `~3`, … before the extension of those that came before."""
    taken = set(names)
    if len(taken) == len(names):
        return names
    given: set[str] = set()
    counts: dict[str, int] = {}
    out = []
    for name in names:
        if name in given:
            stem, ending = os.path.splitext(name)
            number = counts.get(name, 1)
            while (free := f"{stem}~{(number := number + 1)}{ending}") in taken:
                pass
            counts[name] = number
            taken.add(free)
            name = free
        given.add(name)
        out.append(name)
    return out


def _seconds(moment: tuple[int, int, int, int, int, int]) -> int:
    try:
        return calendar.timegm(datetime(*moment).timetuple())  # noqa: DTZ001 - ZIP has no zone
    except ValueError:  # month 0, or 62 seconds: some writers leave the date empty
        return _DOS_EPOCH_SECONDS
