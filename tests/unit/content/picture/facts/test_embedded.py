"""Metadata blocks, wherever a format keeps them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture, PictureFacts, Place
from tests.unit.content.picture.made import iptc, resource, saved, scene, with_app13, xmp

WORDS = (
    "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Zanzibar</rdf:li></rdf:Alt></dc:title>",
    "<dc:subject><rdf:Bag><rdf:li>dhow</rdf:li></rdf:Bag></dc:subject>",
)
PACKET = xmp(*WORDS, xmp_Rating="5", exif_DateTimeOriginal="1985-07-04T12:00:00")
BLOCK = iptc(d05="Zanzibar", d25=["dhow", "sea"], d55="19850704", d60="120000+0200", d120="A boat")


def facts(data: bytes, name: str = "") -> PictureFacts:
    made = make_variants(data, name=name)
    assert isinstance(made, Picture)
    return made.metadata.facts


def exif(**tags: str) -> Image.Exif:
    found = Image.Exif()
    found[0x0132] = "2020:05:06 07:08:09"
    found[0x0110] = "Cam 1"
    return found


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_keywords_title_and_rating_are_read_out_of_every_format(format: str) -> None:  # noqa: A002 - Pillow's word
    options: dict[str, Any] = {"xmp": PACKET}
    if format == "TIFF":
        options = {"tiffinfo": {700: PACKET}}
    elif format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
        options = {"pnginfo": info}
    found = facts(saved(scene(64, 40), format, exif=exif(), **options))
    assert (found.title, found.keywords, found.rating) == ("Zanzibar", ("dhow",), 5)
    assert str(found.taken_at) == "1985-07-04T12:00:00"


def test_iptc_is_read_where_exif_and_xmp_are_silent() -> None:
    found = facts(with_app13(saved(scene(64, 40), exif=exif()), BLOCK))
    assert (found.title, found.keywords, found.description) == (
        "Zanzibar",
        ("dhow", "sea"),
        "A boat",
    )
    assert str(found.taken_at) == "1985-07-04T12:00:00+02:00"
    assert facts(with_app13(saved(scene(64, 40), xmp=PACKET), BLOCK)).keywords == ("dhow",)


def test_iptc_in_a_tiff_is_read() -> None:
    found = facts(saved(scene(64, 40), "TIFF", tiffinfo={33723: BLOCK}))
    assert found.title == "Zanzibar"
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory.tagtype[33723] = 4  # 32-bit numbers, as Adobe's programs and exiftool declare it
    padded = BLOCK + bytes(-len(BLOCK) % 4)
    directory[33723] = struct.unpack(f"<{len(padded) // 4}I", padded)
    found = facts(saved(scene(64, 40), "TIFF", tiffinfo=directory))
    assert (found.title, found.keywords) == ("Zanzibar", ("dhow", "sea"))


UUIDS = {
    "exif": b"JpgTiffExif->JP2",
    "iptc": bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"),
    "xmp": bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),
}


@pytest.mark.parametrize(
    ("kind", "date", "title"),
    [("exif", "2020-05-06T07:08:09", None), ("iptc", "1985-07-04T12:00:00+02:00", "Zanzibar"),
     ("xmp", "1985-07-04T12:00:00", "Zanzibar")],
)  # fmt: skip
def test_the_boxes_of_a_jpeg_2000_are_read(kind: str, date: str, title: str | None) -> None:
    blocks = {"exif": exif().tobytes().removeprefix(b"Exif\0\0"), "iptc": BLOCK, "xmp": PACKET}
    body = UUIDS[kind] + blocks[kind]
    picture = saved(scene(64, 40), "JPEG2000")
    found = facts(picture + struct.pack(">I", 8 + len(body)) + b"uuid" + body, "a.jp2")
    assert (str(found.taken_at), found.title) == (date, title)


def test_an_image_sequence_is_dated_by_its_container() -> None:
    seconds = 3_603_449_810  # since 1904
    header = struct.pack(">I4sII", 108, b"mvhd", 0, seconds) + bytes(92)
    burst = saved(scene(64, 40), "HEIF") + struct.pack(">I4s", 116, b"moov") + header
    assert str(facts(burst, "a.heic").taken_at) == "2018-03-09T14:16:50+00:00"


def test_the_packet_of_a_gif_is_read() -> None:
    picture = saved(scene(64, 40), "GIF")
    trailer = bytes([1, *range(255, -1, -1), 0])
    packet = b"!\xff\x0bXMP DataXMP" + PACKET + trailer
    at = picture.index(b"!\xf9") if b"!\xf9" in picture else picture.index(b",", 13 + 768)
    found = facts(picture[:at] + packet + picture[at:])
    assert (found.title, found.keywords, found.rating) == ("Zanzibar", ("dhow",), 5)


def test_the_packet_at_the_end_of_a_long_gif_is_read() -> None:
    picture = saved(scene(64, 40), "GIF")
    comment = b"!\xfe" + b"\xff" + b"x" * 255
    long = picture[:-1] + comment + (b"\xff" + b"x" * 255) * 5000 + b"\0"
    packet = b"!\xff\x0bXMP DataXMP" + PACKET + bytes([1, *range(255, -1, -1), 0])
    assert facts(long + packet + b";").title == "Zanzibar"


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [("19850704", "", "1985-07-04"), ("19850700", "", "1985-07"), ("19850000", "120000", "1985"),
     ("00000000", "", "None"), ("1985", "120000", "1985")],
)  # fmt: skip
def test_iptc_dates_go_as_far_as_they_are_known(date: str, time: str, moment: str) -> None:
    found = facts(with_app13(saved(scene(64, 40)), iptc(d55=date, d60=time)))
    assert str(found.taken_at) == moment


def test_a_damaged_iptc_block_gives_what_precedes_the_damage() -> None:
    block = iptc(d05="Zanzibar") + b"\x1c\x02\x19\xff\xff"
    assert facts(with_app13(saved(scene(64, 40)), block)).title == "Zanzibar"


def png(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name.replace("_", " "), text, zip=len(text) > 200)
    return saved(scene(64, 40), "PNG", pnginfo=info)


def raw_profile(name: str, block: bytes, head: str = "\n{name}\n{size:8}\n") -> dict[str, str]:
    """As ImageMagick writes it: 36 bytes on a line."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return {f"Raw_profile_type_{name}": head.format(name=name, size=len(block)) + lines + "\n"}


EXIF = b"Exif\0\0" + exif().tobytes().removeprefix(b"Exif\0\0")
XMP_APP1 = b"http://ns.adobe.com/xap/1.0/\0" + PACKET


@pytest.mark.parametrize(
    ("texts", "date"),
    [
        (raw_profile("exif", EXIF), "2020-05-06T07:08:09"),
        (raw_profile("APP1", EXIF), "2020-05-06T07:08:09"),
        (raw_profile("exif", EXIF, "exif\n {size}\n"), "2020-05-06T07:08:09"),
        (raw_profile("APP1", XMP_APP1), "1985-07-04T12:00:00"),
        (raw_profile("xmp", PACKET), "1985-07-04T12:00:00"),
        (raw_profile("iptc", resource(1028, BLOCK)), "1985-07-04T12:00:00+02:00"),
        (raw_profile("iptc", BLOCK, "\nIPTC profile\n{size:8}\n"), "1985-07-04T12:00:00+02:00"),
        ({"Creation_Time": "2010:06:01 08:09:10"}, "2010-06-01T08:09:10"),
        ({"Creation_Time": "Tue, 1 Jun 2010 08:09:10 +0200"}, "2010-06-01T08:09:10+02:00"),
        ({"Creation_Time": "long ago"}, "None"),
        ({"create-date": "2008-01-08T11:08:52-05:00"}, "2008-01-08T11:08:52-05:00"),
        (raw_profile("8bim", resource(1028, BLOCK)), "1985-07-04T12:00:00+02:00"),
    ],
)
def test_metadata_in_the_texts_of_a_png_is_read(texts: dict[str, str], date: str) -> None:
    assert str(facts(png(**texts)).taken_at) == date


def test_a_long_packet_of_a_png_is_read() -> None:
    history = xmp(*WORDS, f"<dc:rights>{'retouched ' * 200_000}</dc:rights>")
    assert facts(png(**raw_profile("xmp", history))).title == "Zanzibar"


def test_a_png_is_named_by_its_texts() -> None:
    found = facts(png(Title="Zanzibar", Description="A boat"))
    assert (found.title, found.description) == ("Zanzibar", "A boat")


def test_the_resources_of_a_photoshop_file_are_read() -> None:
    gps = exif()
    gps.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 21.0, 0.0)})
    resources = resource(1058, gps.tobytes().removeprefix(b"Exif\0\0")) + resource(1060, PACKET)
    found = facts(psd_of(resources))
    assert (found.camera, found.title) == ("Cam 1", "Zanzibar")
    assert found.place == Place(48.8583333, 2.35)


def psd_of(resources: bytes) -> bytes:
    from tests.unit.content.picture.test_psd import psd

    return psd([bytes(64)] * 3, (8, 8), mode=3, resources=resources)
