"""IPTC IIM records (IPTC-NAA Information Interchange Model 4.2), as Photoshop embeds them, or as
they are appended to a file (AXS File Concatenation Protocol)."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from bulkup.content.picture.facts.moments import moment_of
from bulkup.content.picture.types import MOST_KEYWORDS, Moment, PictureFacts

_CHARACTER_SET: Final = (1, 90)
_UTF_8: Final = b"\x1b%G"  # ISO 2022's escape sequence for it
# And those for the parts of ISO 8859, by their last byte (ISO-IR 100, 101, 109, …).
_PARTS: Final = dict(zip(b"ABCDLGFHMVb", (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15), strict=True))
_MOST_PADDING: Final = 64
_TITLE, _KEYWORD, _CAPTION = (2, 5), (2, 25), (2, 120)
_CREATED, _DIGITISED = ((2, 55), (2, 60)), ((2, 62), (2, 63))
_MARKER: Final = 0x1C
_DATE_DIGITS: Final = 8
_TRAILER_BYTES: Final = 12
_TRAILERS: Final = {b"AXS!": ">", b"AXS*": "<"}
_MOST_TRAILER_BYTES: Final = 1 << 20
_CLOCK: Final = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d))?(?:[.,]\d+)?(.*)").fullmatch


def iptc_facts(block: bytes) -> PictureFacts:
    """What an IIM block says; what is damaged ends the reading."""
    values: dict[tuple[int, int], list[bytes]] = {}
    for number, data in _data_sets(block):
        values.setdefault(number, []).append(data)
    encoding = _encoding(values.get(_CHARACTER_SET, [b""])[0])

    def texts(number: tuple[int, int]) -> list[str]:
        found = (" ".join(_text(data, encoding).split()) for data in values.get(number, ()))
        return [text for text in found if text]

    def moment(numbers: tuple[tuple[int, int], tuple[int, int]]) -> Moment | None:
        date, time = ((texts(number) or [""])[0] for number in numbers)
        return _moment(date, time)

    return PictureFacts(
        taken_from="xmp",
        original=moment(_CREATED),
        digitised=moment(_DIGITISED),
        title=next(iter(texts(_TITLE)), None),
        description=next(iter(texts(_CAPTION)), None),
        keywords=tuple(dict.fromkeys(texts(_KEYWORD)))[:MOST_KEYWORDS],
    )


def appended_iptc(file: BinaryIO) -> bytes:
    """The block in the trailer of the file; empty where there is none.

    Its last 12 bytes repeat the mark and say where it begins: a head of 12 bytes, then a directory
    of names, lengths and offsets. Where the file was edited since, all of it has moved.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _MOST_TRAILER_BYTES))
    first, tail = file.tell(), file.read()
    mark = tail[-_TRAILER_BYTES:][:4]
    order = _TRAILERS.get(mark)
    if order is None or len(tail) < 2 * _TRAILER_BYTES:
        return b""
    (begin,) = struct.unpack_from(order + "I", tail, len(tail) - _TRAILER_BYTES + 4)
    at = begin - first
    if not tail.startswith(mark, max(at, 0)) or at < 0:
        at = tail.find(mark)
    (count,) = struct.unpack_from(order + "H", tail, at + 6)
    for entry in range(at + _TRAILER_BYTES, at + _TRAILER_BYTES * (count + 1), _TRAILER_BYTES):
        if entry + _TRAILER_BYTES > len(tail):
            break
        name, size, offset = struct.unpack_from(order + "4sII", tail, entry)
        place = offset - begin + at
        if name == b"IPTC" and at < place:
            return tail[place : min(place + size, len(tail) - _TRAILER_BYTES)]
    return b""


def _data_sets(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """(record, data set) and value: a tag marker 0x1C, two numbers and a length of 16 bits.

    The first bit says that what follows is the length of a longer length. Some programs fill gaps
    with zeros.
    """
    at = 0
    while at + 5 <= len(block):
        if block[at] != _MARKER:
            found = block.find(_MARKER, at, at + _MOST_PADDING)
            if found < 0 or block[at:found].strip(b"\0"):
                return
            at = found
            continue
        record, number, size = struct.unpack_from(">BBH", block, at + 1)
        at += 5
        if size & 0x8000:
            width = size & 0x7FFF
            size = int.from_bytes(block[at : at + width]) if width <= 4 else len(block)
            at += width
        yield (record, number), block[at : at + size]
        at += size


def _encoding(escape: bytes) -> str:
    """The encoding that the block declares; Windows' Latin 1 for none, and for Latin 1."""
    if escape == _UTF_8:
        return "utf-8"
    part = _PARTS.get(escape[-1], 1) if escape[:1] == b"\x1b" and escape[1:2] in b"-./" else 1
    return "cp1252" if part == 1 else f"iso8859-{part}"


def _text(data: bytes, encoding: str) -> str:
    """UTF-8 is declared by few of the programs that write it."""
    data = data.split(b"\0", 1)[0]
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(encoding, "replace")


def _moment(date: str, time: str) -> Moment | None:
    """The moment of "CCYYMMDD" and "HHMMSS±HHMM"; month and day may be 00. Some programs write
    them with separators."""
    if date.isdigit() and len(date) == _DATE_DIGITS:
        date = f"{date[:4]}:{date[4:6]}:{date[6:]}"
    found = _CLOCK(time)
    if found is None:
        return moment_of(date)
    hour, minute, second, offset = found.groups()
    return moment_of(f"{date} {hour}:{minute}:{second or '00'}", offset) or moment_of(date)
