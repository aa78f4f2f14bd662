"""Content types by signature and name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.content.media import (
    HEAD_BYTES,
    extension,
    is_media_head,
    is_media_name,
    is_other_name,
    media_endings,
    media_type,
)


def ftyp(major: bytes, *others: bytes) -> bytes:
    body = b"ftyp" + major + b"\0\0\0\0" + b"".join(others)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08mdat"


BMP = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"
TRANSPORT = (b"\x47" + b"\0" * 187) * 2
M2TS = (b"\0\0\0\0\x47" + b"\0" * 187) * 2

SIGNATURES = [
    ("a.jpg", JPEG, "image/jpeg"),
    ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    ("a.apng", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/apng"),
    ("a.gif", b"GIF87a", "image/gif"),
    ("a.gif", b"GIF89a", "image/gif"),
    ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ("a.heic", ftyp(b"heic", b"mif1", b"heic"), "image/heic"),
    ("a.heic", ftyp(b"mif1", b"mif1", b"heic"), "image/heic"),
    ("a.heif", ftyp(b"mif1", b"mif1"), "image/heif"),
    ("a.heics", ftyp(b"hevc"), "image/heic-sequence"),
    ("a.avif", ftyp(b"mif3", b"avif", b"mif1"), "image/avif"),
    ("a.heic", ftyp(b"xyz1", b"mif1", b"heic"), "image/heic"),
    ("a.bin", ftyp(b"xyz1", b"mif1", b"miaf"), "image/heif"),
    ("a.avif", ftyp(b"xyz1", b"miaf"), "image/avif"),
    ("a.avif", b"\0\0\0\x10ftypmif3avif\0\0\0\x20mini", "image/avif"),
    ("a.heif", b"\0\0\0\x10ftypmif3\0\0\0\0\0\0\0\x20mini", "image/heif"),
    (
        "a.heic",
        b"\0\0\0\x10ftypxyz1\0\0\0\0\0\0\0\x40meta\0\0\0\0\0\0\0\x21hdlr\0\0\0\0\0\0\0\0pict",
        "image/heic",
    ),
    ("a.heic", ftyp(b"xyz1", b"isom"), "video/mp4"),
    ("a.avif", ftyp(b"avif", b"mif1"), "image/avif"),
    ("a.avif", ftyp(b"mif1", b"miaf", b"avif"), "image/avif"),
    ("a.jxl", b"\xff\x0a\x00", "image/jxl"),
    ("a.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "image/jp2"),
    ("a.jpx", b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjpx ", "image/jpx"),
    ("a.j2k", b"\xff\x4f\xff\x51\0\x2f", "image/j2c"),
    ("a.tif", b"II*\0\x08\0\0\0", "image/tiff"),
    ("a.tif", b"MM\0*\0\0\0\x08", "image/tiff"),
    ("a.tif", b"II+\0\x08\0\0\0", "image/tiff"),
    ("a.cr2", b"II*\0\x10\0\0\0CR\x02\0", "image/x-canon-cr2"),
    ("a.tif", b"II*\0\x10\0\0\0CR\x02\0", "image/x-canon-cr2"),
    ("a.cr3", ftyp(b"crx "), "image/x-canon-cr3"),
    ("a.crw", b"II\x1a\0\0\0HEAPCCDR", "image/x-canon-crw"),
    ("a.jpg", b"II\x1a\0\0\0HEAPCCDR", "image/x-canon-crw"),
    ("a.nef", b"MM\0*\0\0\0\x08", "image/x-nikon-nef"),
    ("a.arw", b"II*\0\x08\0\0\0", "image/x-sony-arw"),
    ("a.DNG", b"II*\0\x08\0\0\0", "image/x-adobe-dng"),
    ("a.pef", b"MM\0*\0\0\0\x08", "image/x-pentax-pef"),
    ("a.srw", b"II*\0\x08\0\0\0", "image/x-samsung-srw"),
    ("a.rw2", b"IIU\0\x18\0\0\0", "image/x-panasonic-rw2"),
    ("a.orf", b"IIRO\x08\0\0\0", "image/x-olympus-orf"),
    ("a.raf", b"FUJIFILMCCD-RAW 0201", "image/x-fuji-raf"),
    ("a.x3f", b"FOVb\0\0\2\0", "image/x-sigma-x3f"),
    ("a.psd", b"8BPS\0\1", "image/vnd.adobe.photoshop"),
    ("a.psb", b"8BPS\0\2", "image/vnd.adobe.photoshop"),
    ("a.bmp", BMP, "image/bmp"),
    ("a.svg", b"<svg xmlns=", "image/svg+xml"),
    ("a.mp4", ftyp(b"isom"), "video/mp4"),
    ("a.mov", ftyp(b"qt  "), "video/quicktime"),
    ("a.mov", b"\0\0\0\x08wide\0\0\0\0mdat", "video/quicktime"),
    ("a.m4v", ftyp(b"M4V "), "video/x-m4v"),
    ("a.3gp", ftyp(b"3gp5"), "video/3gpp"),
    ("a.3g2", ftyp(b"3g2a"), "video/3gpp2"),
    ("a.m4a", ftyp(b"M4A "), "audio/mp4"),
    ("a.avi", b"RIFF\0\0\0\0AVI LIST", "video/x-msvideo"),
    ("a.mkv", b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", "video/x-matroska"),
    ("a.webm", b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm", "video/webm"),
    ("a.ts", TRANSPORT, "video/mp2t"),
    ("a.mts", M2TS, "video/mp2t"),
    ("a.mpg", b"\0\0\x01\xba\x44", "video/mpeg"),
    ("a.wmv", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "video/x-ms-wmv"),
    ("a.xmp", b"\xef\xbb\xbf<?xpacket begin=", "application/rdf+xml"),
    ("a.xmp", b"<x:xmpmeta xmlns:x=", "application/rdf+xml"),
]


@pytest.mark.parametrize(("name", "head", "expected"), SIGNATURES)
def test_sound_files(name: str, head: bytes, expected: str) -> None:
    assert media_type(name, head) == expected


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("photo.png", JPEG, "image/jpeg"),
        ("photo.nef", JPEG, "image/jpeg"),  # a raw name on a JPEG
        ("photo.jpg", BMP, "image/bmp"),
        ("photo.jpg", b"RIFF\0\0\0\0WEBP", "image/webp"),
        ("clip.jpg", ftyp(b"isom"), "video/mp4"),
        ("no_extension", JPEG, "image/jpeg"),
        ("photo.jpg.xmp", b"<x:xmpmeta", "application/rdf+xml"),
    ],
)
def test_a_specific_signature_wins_over_the_name(name: str, head: bytes, expected: str) -> None:
    assert media_type(name, head) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPG", "image/jpeg"),
        ("a.txt", "text/plain"),
        ("a.tar.gz", "application/gzip"),
        ("a.nonsense", "application/octet-stream"),
        ("", "application/octet-stream"),
        (".jpg", "application/octet-stream"),
        ("jpg", "application/octet-stream"),
        ("a.", "application/octet-stream"),
    ],
)
def test_the_name_decides_where_bytes_say_nothing(name: str, expected: str) -> None:
    assert media_type(name, b"") == expected
    assert media_type(name, b"BM, no bitmap") == expected


def test_html_in_a_picture_is_not_served_as_html() -> None:
    assert media_type("a.jpg", b"<!DOCTYPE html><html>") == "image/jpeg"


@given(st.text(max_size=20), st.binary(max_size=HEAD_BYTES))
def test_any_bytes_have_a_type(name: str, head: bytes) -> None:
    kind, slash, subtype = media_type(name, head).partition("/")
    assert kind
    assert slash
    assert subtype
    is_media_head(head)


@pytest.mark.parametrize("ending", sorted(media_endings()))
def test_endings_are_media_in_any_case(ending: str) -> None:
    for name in (f"a.{ending}", f"a.b.{ending.upper()}", f"sub/a.{ending.title()}"):
        assert is_media_name(name)
        assert not is_other_name(name)


@pytest.mark.parametrize("name", ["a.txt", "a.PDF", "a.zip", "a.mp3", "a.py"])
def test_other_names_are_known(name: str) -> None:
    assert is_other_name(name)
    assert not is_media_name(name)


@pytest.mark.parametrize("name", ["a", "a.fuzzed", "clip.ts", ".jpg", "sub.jpg/a", "dir/.png"])
def test_only_the_bytes_can_tell_for_other_names(name: str) -> None:
    assert not is_media_name(name)
    assert not is_other_name(name)


@pytest.mark.parametrize(("name", "head", "expected"), SIGNATURES)
def test_media_heads(name: str, head: bytes, expected: str) -> None:
    assert is_media_head(head) == expected.startswith(("image/", "video/"))


@pytest.mark.parametrize(
    "head", [b"", b"\x47", b"BM", b"text", b"%PDF-1.7", b"PK\3\4", b"\0" * 512]
)
def test_other_heads(head: bytes) -> None:
    assert not is_media_head(head)


@given(st.text())
def test_extension_is_a_lower_case_tail(name: str) -> None:
    found = extension(name)
    assert found == "" or name.lower().endswith(f".{found}")


@pytest.mark.corpus
def test_formats_of_the_corpus(corpus: Path) -> None:
    """Every format folder holds what it says; the NEF is a JPEG by another name."""
    kinds = {
        "avif": {"image/avif"},
        "bmp": {"image/bmp"},
        "gif": {"image/gif"},
        "heic": {"image/heic"},
        "jpeg2000": {"image/jp2", "image/jpx"},
        "png": {"image/png"},
        "psd": {"image/vnd.adobe.photoshop"},
        "raw": {"image/jpeg", "image/x-panasonic-rw2", "image/x-adobe-dng"},
        "tiff": {"image/tiff"},
        "video": {"video/mp4", "video/quicktime"},
        "webp": {"image/webp"},
        "xmp": {"application/rdf+xml"},
    }
    for folder, expected in kinds.items():
        found = {
            media_type(path.name, path.read_bytes()[:HEAD_BYTES])
            for path in (corpus / "formats" / folder).iterdir()
        }
        assert found == expected, folder
