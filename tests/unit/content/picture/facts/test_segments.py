"""Metadata blocks that are longer than a segment, or in unusual ones."""

from __future__ import annotations

import hashlib
import struct

import pytest
from PIL import Image

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture, PictureFacts
from tests.unit.content.picture.made import iptc, resource, saved, scene, xmp

KEYWORDS = "<dc:subject><rdf:Bag><rdf:li>dhow</rdf:li></rdf:Bag></dc:subject>"
BLOCK = iptc(d05="Zanzibar")
ADOBE = b"http://ns.adobe.com/xap/1.0/\0"
MORE = b"http://ns.adobe.com/xmp/extension/\0"


def facts(*segments: tuple[int, bytes]) -> PictureFacts:
    """Of a JPEG that begins with these segments."""
    jpeg = saved(scene(64, 40))
    head = b"".join(struct.pack(">HH", mark, len(body) + 2) + body for mark, body in segments)
    made = make_variants(jpeg[:2] + head + jpeg[2:])
    assert isinstance(made, Picture)
    return made.metadata.facts


def extended(parts: int = 2, lost: int = 0) -> list[tuple[int, bytes]]:
    """A packet with a rating, and its keywords in the other one."""
    more = xmp(KEYWORDS)
    guid = hashlib.md5(more, usedforsecurity=False).hexdigest().upper()
    name = f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{guid}" '
    packet = xmp(xmp_Rating="4").replace(b"xmp:Rating", name.encode() + b"xmp:Rating")
    step = -(-len(more) // parts)
    pieces = [
        MORE + guid.encode() + struct.pack(">II", len(more), at) + more[at : at + step]
        for at in range(0, len(more), step)
    ]
    return [(0xFFE1, ADOBE + packet), *((0xFFE1, one) for one in pieces[lost:])]


def test_a_packet_is_read_with_the_one_that_it_continues_in() -> None:
    found = facts(*extended())
    assert (found.rating, found.keywords) == (4, ("dhow",))


def test_the_parts_of_a_packet_may_be_in_any_order() -> None:
    first, *parts = extended(3)
    assert facts(first, *reversed(parts)).keywords == ("dhow",)


def test_a_packet_of_which_a_part_is_lost_costs_only_itself() -> None:
    found = facts(*extended(3, lost=1))
    assert (found.rating, found.keywords) == (4, ())


def test_resources_that_continue_in_the_next_segment_are_read() -> None:
    block = resource(1036, b"q" * 70_001) + resource(1028, BLOCK)
    mark = b"Photoshop 3.0\0"
    found = facts((0xFFED, mark + block[:60_000]), (0xFFED, mark + block[60_000:]))
    assert found.title == "Zanzibar"


@pytest.mark.parametrize(
    "body",
    [
        b"Adobe_Photoshop2.5:\0" + resource(1028, BLOCK),
        b"Photoshop 3.0\0" + b"AgHg" + resource(1036, b"xx")[4:] + resource(1028, BLOCK),
        b"Photoshop 3.0\0"
        + struct.pack(">4sH", b"8BIM", 1028)
        + b"\x05Named"
        + struct.pack(">I", len(BLOCK))
        + BLOCK,
    ],
)
def test_resources_of_other_programs_are_read(body: bytes) -> None:
    assert facts((0xFFED, body)).title == "Zanzibar"


def test_a_block_with_an_odd_header_is_read() -> None:
    tags = Image.Exif()
    tags[0x0110] = "Cam 1"
    block = tags.tobytes().removeprefix(b"Exif\0\0")
    assert facts((0xFFE1, b"Exif\0\xff" + block)).camera == "Cam 1"


def test_a_packet_behind_a_damaged_header_is_read() -> None:
    assert facts((0xFFE1, b"XMP\0" + ADOBE[4:] + xmp(xmp_Rating="4"))).rating == 4
