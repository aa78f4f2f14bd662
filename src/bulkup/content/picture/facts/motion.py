"""The video in a motion photo: what the metadata says of it, compared with the file.

Programs that edit a picture often drop the video and keep the metadata that announces it.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Final

from bulkup.content.picture.isobmff import motion_video_at

_SAMSUNG_VIDEO: Final = 0x0A30
"""The kind of the block with the video in Samsung's trailer (exiftool, "Samsung Trailer Tags")."""

_MOST_BLOCKS: Final = 100


def motion_bytes(file: BinaryIO, announced: int | None) -> int | None:
    """The length of the video that the file has at its end; None when it has none."""
    size = file.seek(0, io.SEEK_END)
    for length in (announced, _samsung(file, size), _heif(file, size)):
        if length is not None and 8 < length < size and _is_video(file, size - length):
            return length
    return None


def _is_video(file: BinaryIO, at: int) -> bool:
    file.seek(at + 4)
    return file.read(4) == b"ftyp"  # ISO/IEC 14496-12, 4.3


def _heif(file: BinaryIO, size: int) -> int | None:
    """From the video to the end of the file, where the video is in a box of its own."""
    if not _is_video(file, 0):  # HEIF, too, begins with `ftyp`
        return None
    at = motion_video_at(file)
    return None if at is None else size - at


def _samsung(file: BinaryIO, size: int) -> int | None:
    """From the video to the end of the file, by Samsung's trailer: its directory, the directory's
    length, and SEFT."""
    if size < 20:
        return None
    file.seek(size - 8)
    length, mark = struct.unpack("<I4s", file.read(8))
    if mark != b"SEFT" or not 12 <= length <= size - 8:
        return None
    begin = size - 8 - length
    file.seek(begin)
    directory = file.read(min(length, 12 + 12 * _MOST_BLOCKS))
    if not directory.startswith(b"SEFH"):
        return None
    (count,) = struct.unpack_from("<I", directory, 8)
    for entry in range(min(count, (len(directory) - 12) // 12)):
        kind, back, _ = struct.unpack_from("<2xHII", directory, 12 + 12 * entry)
        if kind == _SAMSUNG_VIDEO and 8 < back <= begin:
            file.seek(begin - back + 4)
            name_bytes = int.from_bytes(file.read(4), "little")
            return int(size - (begin - back + 8 + name_bytes))
    return None
