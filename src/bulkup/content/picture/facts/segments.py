"""The metadata in a JPEG's application segments, also where it is longer than one of them.

A segment has at most 64 KiB. Photoshop continues its resources in the next one (Adobe Photoshop
File Formats Specification, 2019), and XMP continues in numbered parts (ISO 16684-3, 6.1).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Final

_PHOTOSHOP: Final = (b"Photoshop 3.0\0", b"Adobe_Photoshop2.5:\0")
_EXIF: Final = b"Exif\0"
_XMP_MARK: Final = b"://ns.adobe.com/xap/1.0/\0"
_MOST_HEAD_BYTES: Final = 8
_MORE_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_NAMES_GUID: Final = re.compile(rb"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})")

Segments = Iterable[tuple[str, bytes]]


def photoshop_resources(segments: Segments) -> bytes:
    """All of them, in one piece."""
    found = [body for name, body in segments if name == "APP13"]
    return b"".join(
        body.removeprefix(mark) for body in found for mark in _PHOTOSHOP if body.startswith(mark)
    )


def exif_block(segments: Segments) -> bytes:
    """The first EXIF block, also one whose header ends in another byte than zero."""
    return next((body for name, body in segments if name == "APP1" and body.startswith(_EXIF)), b"")


def xmp_packet(segments: Segments) -> bytes:
    """The first packet, also one whose header is damaged at its beginning."""
    for name, body in segments:
        head, mark, packet = body.partition(_XMP_MARK)
        if name == "APP1" and mark and len(head) <= _MOST_HEAD_BYTES:
            return packet
    return b""


def more_xmp(segments: Segments, packet: bytes) -> bytes:
    """The XMP that `packet` continues in; empty where it does not, or parts are lost."""
    named = _NAMES_GUID.search(packet)
    if named is None:
        return b""
    mark = _MORE_XMP + named[1]
    parts: dict[int, bytes] = {}
    size = 0
    for name, body in segments:
        if name == "APP1" and body.startswith(mark) and len(body) >= len(mark) + 8:
            size, at = struct.unpack_from(">II", body, len(mark))
            parts[at] = body[len(mark) + 8 :]
    whole = b"".join(parts[at] for at in sorted(parts))
    return whole if len(whole) == size else b""
