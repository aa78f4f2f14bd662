"""IPTC IIM records (IPTC-NAA Information Interchange Model 4.2), as Photoshop embeds them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from bulkup.content.picture.facts.moments import moment_of
from bulkup.content.picture.types import MOST_KEYWORDS, Moment, PictureFacts

_CHARACTER_SET: Final = (1, 90)
_UTF_8: Final = b"\x1b%G"  # ISO 2022's escape sequence for it
_TITLE, _KEYWORD, _CAPTION = (2, 5), (2, 25), (2, 120)
_CREATED, _DIGITISED = ((2, 55), (2, 60)), ((2, 62), (2, 63))
_DATE_DIGITS, _TIME_DIGITS = 8, 6


def iptc_facts(block: bytes) -> PictureFacts:
    """What an IIM block says; what is damaged ends the reading."""
    values: dict[tuple[int, int], list[bytes]] = {}
    for number, data in _data_sets(block):
        values.setdefault(number, []).append(data)
    is_utf_8 = values.get(_CHARACTER_SET, [b""])[0] == _UTF_8

    def texts(number: tuple[int, int]) -> list[str]:
        found = (" ".join(_text(data, is_utf_8).split()) for data in values.get(number, ()))
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


def _data_sets(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """(record, data set) and value: a tag marker 0x1C, two numbers and a length of 16 bits."""
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, number, size = struct.unpack_from(">BBH", block, at + 1)
        at += 5
        if size & 0x8000:  # extended: the length of the length; no picture needs it
            return
        yield (record, number), block[at : at + size]
        at += size


def _text(data: bytes, is_utf_8: bool) -> str:
    """UTF-8 is declared by few of the programs that write it; otherwise Windows' Latin 1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8" if is_utf_8 else "cp1252", "replace")


def _moment(date: str, time: str) -> Moment | None:
    """The moment of "CCYYMMDD" and "HHMMSS±HHMM"; month and day may be 00."""
    if len(date) != _DATE_DIGITS or not date.isdigit():
        return moment_of(date)
    year, month, day = date[:4], date[4:6], date[6:]
    clock = time[:_TIME_DIGITS]
    if len(clock) < _TIME_DIGITS or not clock.isdigit() or "00" in (month, day):
        return moment_of(f"{year}:{month}:{day}")
    text = f"{year}:{month}:{day} {clock[:2]}:{clock[2:4]}:{clock[4:]}"
    return moment_of(text, time[_TIME_DIGITS:])
