"""Archives as sources: members are listed, and inflated while they are read, never to disk.

Tar archives are read by `tar_archive`, ZIP archives here (PKWARE APPNOTE 6.3.10). `zipfile` reads
the central directory. Members are inflated here, because a bomb must be stopped at a byte count,
while `zipfile` stops silently at the declared size. Methods other than stored and deflated are
refused: nothing bounds the output of one call of their decompressors, and cameras and photo
services do not use them.
"""

from __future__ import annotations

import calendar
import io
import os
import stat
import struct
import threading
import zlib
from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from bulkup.content.archive_names import (
    ArchiveMember,
    RefusedMember,
    distinct,
    is_tar_name,
    why_unsafe,
)
from bulkup.content.os_errors import kind_of
from bulkup.content.zip_stream import DeclaredMember, MemberReader, is_bomb
from bulkup.errors import SourceInvalid, SourceMissing
from bulkup.model import INODE_MASK, FileStat

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

LIMIT_BYTES: Final = 5 << 40
"""What S3 takes as one object. Films in archives are often larger than what is decoded: who needs
less says so. A member never gives more bytes than it declares, nor RATIO_LIMIT times its packed
ones."""

_CACHED_DIRECTORIES: Final = 4  # about as many archives are read at the same time
_ENCRYPTED_FLAGS: Final = 0x1 | 0x40 | 0x2000  # bits 0, 6 and 13 (APPNOTE 4.4.4)
_STORED, _DEFLATED = 0, 8  # methods (APPNOTE 4.4.5)
_DOS_EPOCH_SECONDS: Final = 315_532_800  # 1980-01-01, for dates that are none


def members(path: str) -> Iterator[ArchiveMember | RefusedMember]:
    """All members but folders, in the order of the central directory, or of the tar archive.

    Encrypted members, symbolic links and other special files, paths that leave the archive,
    unknown methods, and declared sizes or ratios above LIMIT_BYTES and RATIO_LIMIT are refused.
    Raises SourceInvalid for a broken central directory, and what `kind_of` says for the file's
    errors.
    """
    if is_tar_name(path):
        from bulkup.content.tar_index import tar_index

        yield from tar_index(path).members.values()
        return
    with _opened(path) as file:
        directory = _directory(path, file)
    yield from directory.values()


def find_member(path: str, name: str) -> ArchiveMember:
    """The member called `name`, by `ArchiveMember.name`.

    Raises SourceMissing when the archive or the member is gone, SourceInvalid when it is refused.
    """
    if is_tar_name(path):
        from bulkup.content.tar_archive import find_tar_member

        return find_tar_member(path, name)
    with _opened(path) as file:
        return _find(path, file, name)


def open_member(path: str, name: str, *, limit_bytes: int = LIMIT_BYTES) -> BinaryIO:
    """The bytes of the member called `name`, not seekable. The caller closes it.

    Reading raises SourceInvalid when the member has more or fewer bytes than declared, more than
    `limit_bytes` or RATIO_LIMIT allows, or another CRC; its last bytes are returned only after
    these checks. Thread-safe, while each reader belongs to one thread. The central directories of
    the archives used last are cached until they change.
    """
    if is_tar_name(path):
        from bulkup.content.tar_archive import open_tar_member

        return open_tar_member(path, name, limit_bytes=limit_bytes)
    file = _opened(path)
    try:
        member = _find(path, file, name, limit_bytes)
        declared = DeclaredMember(
            header_offset=member.stat.inode,
            packed_bytes=member.packed_bytes,
            size_bytes=member.stat.size_bytes,
            crc=member.stat.changed_ns,
            is_deflated=member.is_deflated,
        )
        reader = MemberReader(file, f"{path}#{name}", declared)
    except BaseException:
        file.close()
        raise
    return cast("BinaryIO", io.BufferedReader(reader, 1 << 16))


_Directory = dict[str, ArchiveMember | RefusedMember]
_cached: OrderedDict[tuple[str, int, int, int], _Directory] = OrderedDict()
_cache_lock = threading.Lock()


def _opened(path: str) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise SourceMissing(f"{path}: no such archive") from error
    except OSError as error:
        raise kind_of(error)(f"{path}: {error.strerror}") from error


def _find(
    path: str, file: io.BufferedReader, name: str, limit_bytes: int = LIMIT_BYTES
) -> ArchiveMember:
    found = _directory(path, file).get(name)
    if found is None:
        raise SourceMissing(f"{path}#{name}: the archive has no such member")
    if isinstance(found, RefusedMember):
        raise SourceInvalid(f"{path}#{name}: {found.reason}")
    if found.stat.size_bytes > limit_bytes:
        raise SourceInvalid(f"{path}#{name}: larger than the limit of {limit_bytes} bytes")
    return found


def _directory(path: str, file: io.BufferedReader) -> _Directory:
    found = os.fstat(file.fileno())
    key = (path, found.st_size, found.st_mtime_ns, found.st_ino)
    with _cache_lock:
        if (cached := _cached.get(key)) is not None:
            _cached.move_to_end(key)
            return cached
    directory = _read_directory(path, file)
    with _cache_lock:
        _cached[key] = directory
        while len(_cached) > _CACHED_DIRECTORIES:
            _cached.popitem(last=False)
    return directory


def _read_directory(path: str, file: io.BufferedReader) -> _Directory:
    import zipfile  # late: most runs read no archive

    try:
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not _is_folder(info)]
    except OSError as error:
        raise kind_of(error)(f"{path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        # ValueError: a seek before the start, or a name that is flagged as UTF-8 and is not.
        raise SourceInvalid(f"{path}: broken or truncated ZIP archive ({error})") from error
    names = distinct([_name(info) for info in infos])
    return {name: _judged(info, name) for name, info in zip(names, infos, strict=True)}


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith("/") or stat.S_ISDIR(info.external_attr >> 16)


def _judged(info: zipfile.ZipInfo, name: str) -> ArchiveMember | RefusedMember:
    reason = _why_refused(info, name)
    if reason is not None:
        return RefusedMember(name, reason)
    return ArchiveMember(
        name=name,
        stat=FileStat(
            size_bytes=info.file_size,
            modified_ns=_seconds(info.date_time) * 1_000_000_000,
            inode=info.header_offset & INODE_MASK,  # 64 bits in ZIP64
            changed_ns=info.CRC,
        ),
        packed_bytes=info.compress_size,
        is_deflated=info.compress_type == _DEFLATED,
    )


def _why_refused(info: zipfile.ZipInfo, name: str) -> str | None:
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
    if info.file_size > LIMIT_BYTES:
        return f"declares {info.file_size} bytes, more than the limit of {LIMIT_BYTES}"
    if is_bomb(info.compress_size, info.file_size):
        return f"decompression bomb: {info.compress_size} bytes declare {info.file_size}"
    return None


def _name(info: zipfile.ZipInfo) -> str:
    """The member's path without empty and `.` components; absolute paths stay absolute.

    `zipfile` decodes names without the UTF-8 flag as cp437, but macOS writes UTF-8 without the
    flag. Therefore bytes beyond ASCII that are valid UTF-8 are read as UTF-8. The
    Unicode Path field (APPNOTE 4.6.9) comes first, if it belongs to this name.
    """
    name = info.filename
    if not info.flag_bits & 0x800:
        raw = info.orig_filename.encode("cp437", "replace")
        try:
            name = _unicode_path(info.extra, raw) or raw.decode()
        except UnicodeError:
            name = info.filename
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts)


def _unicode_path(extra: bytes, raw_name: bytes) -> str | None:
    """The name in the extra field 0x7075: version 1, CRC-32 of the other name, UTF-8."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        value, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x7075 and value[:5] == struct.pack("<BL", 1, zlib.crc32(raw_name)):
            return value[5:].decode()
    return None


def _seconds(moment: tuple[int, int, int, int, int, int]) -> int:
    try:
        return calendar.timegm(datetime(*moment).timetuple())  # noqa: DTZ001 - ZIP has no zone
    except ValueError:  # month 0 or 62 seconds: some writers leave the date empty
        return _DOS_EPOCH_SECONDS
