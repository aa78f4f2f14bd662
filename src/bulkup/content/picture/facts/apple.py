"""Apple's maker note: an IFD behind a header, whose offsets count from the header's start.

No standard describes it; the tags' names are exiftool's ("Apple Tags").
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

_HEADER: Final = b"Apple iOS\0\0\1MM"
_ASCII: Final = 2
_BURST_UUID, _CONTENT_IDENTIFIER = 0x000B, 0x0011
_MOST_ENTRIES: Final = 200
_ID: Final = re.compile(r"[0-9A-Za-z-]{8,64}").fullmatch


class AppleNote(NamedTuple):
    """What joins a picture with others."""

    live_id: str | None = None
    burst_id: str | None = None


def read_apple_note(note: object) -> AppleNote:
    """What the maker note says; nothing if it is not Apple's, or damaged."""
    if not isinstance(note, bytes) or not note.startswith(_HEADER):
        return AppleNote()
    at = len(_HEADER)
    try:
        (count,) = struct.unpack_from(">H", note, at)
        texts = {}
        for entry in range(min(count, _MOST_ENTRIES)):
            tag, kind, size, offset = struct.unpack_from(">HHII", note, at + 2 + 12 * entry)
            if kind == _ASCII and tag in (_BURST_UUID, _CONTENT_IDENTIFIER) and size > 4:
                texts[tag] = note[offset : offset + size].rstrip(b"\0").decode("ascii", "replace")
    except struct.error:
        return AppleNote()
    return AppleNote(identifier(texts.get(_CONTENT_IDENTIFIER)), identifier(texts.get(_BURST_UUID)))


def identifier(text: str | None) -> str | None:
    """The identifier in capitals; None for what is none, so that nothing is joined by an empty
    text."""
    text = (text or "").strip()
    return text.upper() if _ID(text) else None
