"""Pictures are turned by whatever block says how, as they get their other facts from it."""

from __future__ import annotations

import struct

import pytest

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.facts.test_embedded import UUIDS, png, psd_of, raw_profile
from tests.unit.content.picture.made import mean_error, opened, resource, saved, scene, xmp

SMALL = VariantSpec("thumb", 64, Format.WEBP, 90)
WIDE = scene(96, 48)


def tiff(value: bytes = b"\6\0\0\0", kind: int = 3) -> bytes:
    """A directory with an orientation only."""
    return b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHI", 0x0112, kind, 1) + value + bytes(4)


EXIF = b"Exif\0\0" + tiff()
PACKET = xmp(tiff_Orientation="6")


def jpeg(block: bytes) -> bytes:
    return saved(WIDE, exif=EXIF).replace(EXIF, block)


def webp() -> bytes:
    """With an EXIF chunk that the header does not announce."""
    body = bytearray(saved(WIDE, "WEBP", exif=tiff()))
    body[20] &= ~0x08
    return bytes(body)


def jp2(kind: str, block: bytes) -> bytes:
    body = UUIDS[kind] + block
    return saved(WIDE, "JPEG2000") + struct.pack(">I", 8 + len(body)) + b"uuid" + body


def made(data: bytes) -> Picture:
    found = make_variants(data, (SMALL,))
    assert isinstance(found, Picture)
    return found


@pytest.mark.parametrize(
    "data",
    [
        jpeg(b"Exif\0\xff" + tiff()), jpeg(b"Exif\0\0" + tiff(b"\6\0\0\0", kind=1)),
        jpeg(b"Exif\0\0" + tiff(b"6\0\0\0", kind=2)), webp(),
        jp2("exif", tiff()), jp2("xmp", PACKET),
    ],
    ids=["odd header", "a byte", "a digit", "webp", "jp2", "jp2 by xmp"],
)  # fmt: skip
def test_a_picture_is_turned_by_the_block_that_has_its_facts(data: bytes) -> None:
    found = made(data)
    metadata = found.metadata
    assert (metadata.orientation, metadata.width_px, metadata.height_px) == (6, 48, 96)
    assert mean_error(opened(found.variants[0].body), WIDE.rotate(-90, expand=True)) < 8


@pytest.mark.parametrize(
    "data",
    [png(**raw_profile("APP1", EXIF)), png(**raw_profile("xmp", PACKET)),
     psd_of(resource(1058, tiff())), psd_of(resource(1060, PACKET))],
    ids=["png", "png by xmp", "psd", "psd by xmp"],
)  # fmt: skip
def test_texts_and_resources_turn_a_picture_too(data: bytes) -> None:
    assert made(data).metadata.orientation == 6


@pytest.mark.parametrize("said", ["0", "9", "6.5", "up", ""])
def test_an_orientation_that_is_none_turns_nothing(said: str) -> None:
    metadata = made(jp2("xmp", xmp(tiff_Orientation=said))).metadata
    assert (metadata.orientation, metadata.width_px) == (1, 96)


def test_exif_beside_a_packet_with_the_orientation_is_read() -> None:
    block = scene().getexif()
    block[0x0110] = "Cam 1"
    body = b"Exif\0\0" + block.tobytes().removeprefix(b"Exif\0\0")
    texts = {**raw_profile("APP1", body), "XML:com.adobe.xmp": PACKET.decode()}
    metadata = made(png(**texts)).metadata
    assert (metadata.facts.camera, metadata.orientation) == ("Cam 1", 6)
