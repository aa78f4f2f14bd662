"""Range requests (RFC 9110, 14). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.IGNORECASE)


class ByteRange(NamedTuple):
    """A part of a body, of at least one byte."""

    start: int
    size_bytes: int


class Unsatisfiable(Exception):
    """The range begins behind the body's end."""


def range_of(header: str | None, size_bytes: int) -> ByteRange | None:
    """The part that a Range header asks for; None for the whole body.

    Several ranges, other units and what is not understood get the whole body, as the RFC allows.
    Raises Unsatisfiable.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        length = min(int(found[2]), size_bytes)
        if length == 0:
            raise Unsatisfiable
        return ByteRange(size_bytes - length, length)
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None
    if start >= size_bytes:
        raise Unsatisfiable
    end = min(int(found[2]), size_bytes - 1) if found[2] else size_bytes - 1
    return ByteRange(start, end - start + 1)
