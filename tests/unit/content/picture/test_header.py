"""Facts of pictures and videos without decoding."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bulkup.content.picture.header import header_facts
from tests.unit.content.picture.made import png_chunk, saved

DATE = "2018:01:02 03:04:05"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_the_date_and_camera_are_read(kind: str) -> None:
    tags = Image.Exif()
    tags[0x0110] = "D70"
    tags.get_ifd(0x8769)[0x9003] = DATE
    body = io.BytesIO()
    Image.new("RGB", (16, 16)).save(body, kind, exif=tags)
    facts = header_facts(body, f"a.{kind.lower()}")
    assert (str(facts.taken_at), facts.camera) == ("2018-01-02T03:04:05", "D70")


@pytest.mark.parametrize("size", [(13_000, 15_000), (60_000, 60_000)])
def test_however_large_a_picture_is_its_date_is_read(size: tuple[int, int]) -> None:
    tags = Image.Exif()
    tags.get_ifd(0x8769)[0x9003] = DATE
    body = bytearray(saved(Image.new("RGB", (8, 8)), exif=tags))
    at = body.index(b"\xff\xc0") + 5
    body[at : at + 4] = struct.pack(">HH", *size)
    assert str(header_facts(io.BytesIO(body), "a.jpg").taken_at) == "2018-01-02T03:04:05"


def test_a_png_that_is_decoded_for_its_metadata_is_limited() -> None:
    body = saved(Image.new("RGB", (8, 8)), "PNG")
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    assert header_facts(io.BytesIO(body[:8] + head + body[33:]), "a.png").taken_at is None


@pytest.mark.parametrize("name", ["a.jpg", "a.nef", "a.mov", "a.heic", "a.xmp"])
@given(st.binary(max_size=60))
def test_damaged_files_say_nothing(name: str, body: bytes) -> None:
    starts = {"a.jpg": b"\xff\xd8\xff\xe1\0\x20Exif\0\0", "a.nef": b"MM\0*\0\0\0\x08",
              "a.mov": b"\0\0\0\x14ftypqt  ", "a.heic": b"\0\0\0\x14ftypheic"}  # fmt: skip
    assert header_facts(io.BytesIO(starts.get(name, b"") + body), name).camera is None
