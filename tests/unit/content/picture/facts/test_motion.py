"""The video in a motion photo: announced, and really there."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.picture.facts.motion import motion_bytes
from bulkup.content.picture.facts.xmp import read_xmp

PICTURE = b"\xff\xd8 a picture \xff\xd9"
VIDEO = b"\0\0\0\x18ftypmp42 and its frames"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"


def packet(inside: str, attributes: str = "") -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'xmlns:GCamera="{CAMERA}" xmlns:Container="{CONTAINER}" '
        f'xmlns:Item="{CONTAINER}item/" {attributes}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def samsung(video: bytes) -> bytes:
    """Samsung's trailer: one block with the video, its directory, SEFT."""
    name = b"MotionPhoto_Data"
    block = struct.pack("<HHI", 0, 0x0A30, len(name)) + name + video
    directory = b"SEFH" + struct.pack("<II", 106, 1)
    directory += struct.pack("<HHII", 0, 0x0A30, len(block), len(block))
    return block + directory + struct.pack("<I", len(directory)) + b"SEFT"


@pytest.mark.parametrize(
    "xmp",
    [
        packet("", f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(VIDEO)}"'),
        packet(
            "<Container:Directory><rdf:Seq>"
            '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" '
            'Item:Length="0"/></rdf:li><rdf:li rdf:parseType="Resource"><Container:Item '
            f'Item:Semantic="MotionPhoto" Item:Length="{len(VIDEO)}"/></rdf:li>'
            "</rdf:Seq></Container:Directory>",
            'GCamera:MotionPhoto="1"',
        ),
    ],
)
def test_both_formats_of_google_name_the_length(xmp: bytes) -> None:
    announced = read_xmp(xmp).facts.motion_bytes
    assert motion_bytes(io.BytesIO(PICTURE + VIDEO), announced) == len(VIDEO)


def test_a_burst_of_google_has_an_identifier() -> None:
    xmp = packet("", 'GCamera:BurstID="0f0e0d0c-0b0a-4908-8706-050403020100"')
    assert read_xmp(xmp).facts.burst_id == "0F0E0D0C-0B0A-4908-8706-050403020100"


def test_samsung_s_trailer_names_the_video() -> None:
    trailer = samsung(VIDEO)
    length = motion_bytes(io.BytesIO(PICTURE + trailer), None)
    assert length is not None
    assert trailer[-length:].startswith(VIDEO)


def test_a_video_that_is_announced_and_gone_is_none() -> None:
    assert motion_bytes(io.BytesIO(PICTURE), len(VIDEO)) is None
    assert motion_bytes(io.BytesIO(PICTURE * 9), len(VIDEO)) is None
    assert motion_bytes(io.BytesIO(PICTURE), None) is None


@given(st.binary(max_size=100), st.integers(-5, 200))
def test_no_bytes_break_it(body: bytes, announced: int) -> None:
    for tail in (body, body + b"SEFT", b"SEFH" + body + struct.pack("<I", len(body) + 4) + b"SEFT"):
        motion_bytes(io.BytesIO(tail), announced)


def test_the_video_in_a_box_of_a_heif_is_found_without_an_announcement() -> None:
    """Also with a box of the maker behind it."""
    heif = struct.pack(">I4s8s", 16, b"ftyp", b"heic\0\0\0\0")
    video = struct.pack(">I4s", len(VIDEO) + 8, b"mpvd") + VIDEO
    maker = struct.pack(">I4s4s", 12, b"sefd", b"more")
    for tail in (b"", maker):
        length = motion_bytes(io.BytesIO(heif + video + tail), None)
        assert length == len(VIDEO + tail)
    assert motion_bytes(io.BytesIO(heif + maker), None) is None
