"""Apple's maker note: what joins pictures with others."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.picture.facts.apple import AppleNote, identifier, read_apple_note

LIVE = "5A3B7C1D-0E2F-4A5B-8C9D-1234567890AB"
BURST = "0F0E0D0C-0B0A-4908-8706-050403020100"


def apple_note(**tags: str) -> bytes:
    """A maker note with these ASCII tags, called `t11` for 0x0011."""
    entries, data = b"", b""
    begin = 14 + 2 + 12 * (len(tags) + 1) + 4
    for name, text in sorted(tags.items()):
        body = text.encode() + b"\0"
        entries += struct.pack(">HHII", int(name[1:], 16), 2, len(body), begin + len(data))
        data += body
    entries += struct.pack(">HHII", 0x0001, 9, 1, 14)  # MakerNoteVersion
    head = b"Apple iOS\0\0\1MM" + struct.pack(">H", len(tags) + 1)
    return head + entries + bytes(4) + data


def test_both_identifiers_are_read() -> None:
    assert read_apple_note(apple_note(t11=LIVE.lower(), t0b=BURST)) == AppleNote(LIVE, BURST)
    assert read_apple_note(apple_note(t0b=BURST)) == AppleNote(None, BURST)


@pytest.mark.parametrize("note", [None, b"", b"Nikon\0\2", "Apple iOS", apple_note(t11=LIVE)[:20]])
def test_other_and_damaged_notes_say_nothing(note: object) -> None:
    assert read_apple_note(note) == AppleNote()


@pytest.mark.parametrize("text", [None, "", "    ", "\0\0\0\0\0\0\0\0\0", "x", "a b c d e f g h"])
def test_what_is_no_identifier_joins_nothing(text: str | None) -> None:
    assert identifier(text) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_it(rest: bytes) -> None:
    read_apple_note(b"Apple iOS\0\0\1MM" + rest)
