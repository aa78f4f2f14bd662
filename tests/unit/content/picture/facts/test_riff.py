"""The chunks of WebP files and of videos."""

from __future__ import annotations

import io
import struct

from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.picture.facts.riff import riff_blocks
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.made import saved, scene, xmp

PACKET = xmp(xmp_Rating="4")


def webp(flags: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file with an extended header that announces by its flags what it contains."""
    plain = saved(scene(64, 40), "WEBP", quality=80)
    (size,) = struct.unpack_from("<I", plain, 16)
    head = struct.pack("<I", flags) + struct.pack("<I", 63)[:3] + struct.pack("<I", 39)[:3]
    body = b"WEBP"
    for name, data in ((b"VP8X", head), (plain[12:16], plain[20 : 20 + size]), *chunks):
        body += name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_blocks_that_the_header_does_not_announce_are_read() -> None:
    for name in (b"XMP ", b"XMP\0"):
        made = make_variants(webp(0, (name, PACKET)), name="a.webp")
        assert isinstance(made, Picture)
        assert made.metadata.facts.rating == 4


@given(st.binary(max_size=200))
def test_no_bytes_break_it(body: bytes) -> None:
    riff_blocks(io.BytesIO(b"RIFF\0\0\0\0WEBP" + body))
