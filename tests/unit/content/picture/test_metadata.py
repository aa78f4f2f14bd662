"""EXIF, XMP, quality estimate and perceptual hash."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from bulkup.content.picture.dhash import distance, perceptual_hash
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.quality import adapted_quality, jpeg_quality
from bulkup.content.picture.types import Metadata, Moment, Picture, Place, with_sidecar
from bulkup.content.picture.xmp import read_xmp
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import opened, saved, scene


def metadata(
    main: dict[int, Any] | None = None,
    exif: dict[int, Any] | None = None,
    gps: dict[int, Any] | None = None,
    **options: Any,
) -> Metadata:
    tags = Image.Exif()
    tags.update(main or {})
    tags.get_ifd(0x8769).update(exif or {})
    tags.get_ifd(0x8825).update(gps or {})
    made = make_variants(saved(scene(64, 40), exif=tags.tobytes(), **options))
    assert isinstance(made, Picture)
    return made.metadata


def test_a_date_with_its_offset_is_a_moment_in_utc() -> None:
    found = metadata(exif={0x9003: "2019:07:01 12:30:05", 0x9011: "+02:00", 0x9291: "25"}).taken_at
    assert found is not None
    assert str(found) == "2019-07-01T12:30:05.250000+02:00"
    assert found.utc == datetime(2019, 7, 1, 10, 30, 5, 250000, tzinfo=UTC)


def test_a_date_without_offset_is_local_time_and_says_so() -> None:
    found = metadata(exif={0x9003: "2019:07:01 12:30:05"}).taken_at
    assert found is not None
    assert (str(found), found.utc, found.offset_minutes) == ("2019-07-01T12:30:05", None, None)


@pytest.mark.parametrize("nonsense", ["0000:00:00 00:00:00", "2010:02:31 10:00:00", "yesterday"])
def test_a_date_that_is_none_gives_way_to_the_next(nonsense: str) -> None:
    found = metadata({0x0132: "2001:02:03 04:05:06"}, {0x9003: nonsense}).taken_at
    assert found == Moment(datetime(2001, 2, 3, 4, 5, 6))  # noqa: DTZ001 - a camera's clock


def test_moments_at_the_ends_of_time_have_no_utc() -> None:
    assert Moment(datetime(1, 1, 1), 60).utc is None  # noqa: DTZ001 - a camera's clock
    assert str(Moment(datetime(1, 1, 1), -90)) == "0001-01-01T00:00:00-01:30"  # noqa: DTZ001 - too


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 7D", "Canon EOS 7D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Apple", "iPhone 7", "Apple iPhone 7"),
        ("SONY\0\0", " DSC-P12 ", "SONY DSC-P12"),
        (None, "X100", "X100"),
        (None, None, None),
    ],
)
def test_the_camera_is_named_once(make: str | None, model: str | None, camera: str | None) -> None:
    tags = {0x010F: make, 0x0110: model}
    assert metadata({tag: text for tag, text in tags.items() if text}).camera == camera


def test_exposure_and_lens() -> None:
    found = metadata(
        exif={
            0x829D: IFDRational(28, 10),
            0x829A: IFDRational(1, 250),
            0x8827: 400,
            0x920A: IFDRational(0, 0),
            0xA434: "EF 50mm",
        }
    )
    assert found.lens == "EF 50mm"
    shown = found.exposure
    assert (shown.f_number, shown.exposure_seconds, shown.iso) == (2.8, 0.004, 400)
    assert shown.focal_length_mm is None


NORTH_WEST = {1: "N", 2: (51.0, 30.0, 36.0), 3: "W", 4: (0.0, 7.0, 30.0)}


def test_a_position_is_in_degrees_north_and_east() -> None:
    found = metadata(gps={**NORTH_WEST, 5: b"\x01", 6: IFDRational(25, 2)}).place
    assert found == Place(51.51, -0.125, -12.5)


@pytest.mark.parametrize(
    "change",
    [
        {2: (IFDRational(1, 0), IFDRational(1, 0), IFDRational(1, 0))},
        {2: (91.0, 0.0, 0.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
        {4: ()},
    ],
    ids=["zero denominators", "outside the globe", "no fix", "empty"],
)
def test_a_position_that_is_none_is_left_out(change: dict[int, Any]) -> None:
    assert metadata(gps={**NORTH_WEST, **change}).place is None


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description xmp:Rating="4"
 exif:GPSLatitude="48,30.6N" exif:GPSLongitude="11,15,36W">
 <exif:DateTimeOriginal>2020-05-06T07:08:09-03:00</exif:DateTimeOriginal>
 <exif:GPSAltitude>1050/2</exif:GPSAltitude>
 <dc:subject><rdf:Bag><rdf:li>lake</rdf:li><rdf:li>swan </rdf:li><rdf:li>lake</rdf:li></rdf:Bag>
 </dc:subject><dc:description><rdf:Alt><rdf:li xml:lang="x-default">At the lake</rdf:li></rdf:Alt>
 </dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_a_sidecar_is_read_in_both_spellings() -> None:
    said = read_xmp(b"<?xpacket begin='\xef\xbb\xbf'?>" + XMP.encode())
    assert str(said.taken_at) == "2020-05-06T07:08:09-03:00"
    assert said.place == Place(48.51, -11.26, 525.0)
    assert (said.rating, said.keywords) == (4, ("lake", "swan"))
    assert said.description == "At the lake"


def test_a_sidecar_in_utf_16_is_read() -> None:
    assert read_xmp((XMP + "\n").encode("utf-16")).rating == 4


def test_a_sidecar_wins_over_the_camera_and_is_silent_where_it_says_nothing() -> None:
    camera = Metadata(1, 1, "JPEG", taken_at=Moment(datetime(2000, 1, 1)), place=Place(1, 1))  # noqa: DTZ001 - a camera's clock
    said = with_sidecar(camera, read_xmp(XMP.encode()))
    assert str(said.taken_at) == "2020-05-06T07:08:09-03:00"
    empty = read_xmp(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    assert with_sidecar(camera, empty) == camera


def test_the_pictures_own_xmp_fills_in_where_exif_is_silent() -> None:
    found = metadata(exif={0x9003: "2019:07:01 12:30:05"}, xmp=XMP.encode())
    assert str(found.taken_at) == "2019-07-01T12:30:05"
    assert found.place == Place(48.51, -11.26, 525.0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_grow(encoding: str) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha">'
    for one, other in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f'<!ENTITY {other} "{f"&{one};" * 50}">'
    with pytest.raises(PictureInvalid, match="document type"):
        read_xmp((bomb + "]><b>&i;</b>").encode(encoding))


@pytest.mark.parametrize("packet", [b"", b"hello", b"<a><b></a>", bytes(5 << 20)])
def test_what_is_no_xmp_is_refused(packet: bytes) -> None:
    with pytest.raises(PictureInvalid, match="XMP"):
        read_xmp(packet)


@pytest.mark.parametrize("quality", range(20, 100, 5))
def test_quality_is_told_by_the_tables(quality: int) -> None:
    tables = opened(saved(scene(64, 64), quality=quality)).quantization  # type: ignore[attr-defined]
    found = jpeg_quality(tables)
    assert found is not None
    assert abs(found - quality) <= 2


def test_quality_adapts_only_where_faults_would_be_seen() -> None:
    assert adapted_quality(80, 60, shrunk=1.0) == 60
    assert adapted_quality(80, 95, shrunk=1.0) == 80
    assert adapted_quality(80, 60, shrunk=8.0) == 80
    assert adapted_quality(80, 5, shrunk=1.0) == 40
    assert adapted_quality(80, None, shrunk=1.0) == 80


def test_near_pictures_have_near_hashes_and_others_do_not() -> None:
    image = Image.effect_noise((40, 30), 90).resize((400, 300), Image.Resampling.BICUBIC)
    near = opened(saved(image.resize((200, 150)), quality=40))
    other = Image.effect_noise((40, 30), 90).resize((400, 300), Image.Resampling.BICUBIC)
    assert distance(perceptual_hash(image), perceptual_hash(near)) <= 6
    assert distance(perceptual_hash(image), perceptual_hash(other)) > 12


def test_the_hash_is_the_difference_hash() -> None:
    """Rows that get lighter give ones, rows that get darker zeros (imagehash.dhash agrees)."""
    lighter = Image.linear_gradient("L").rotate(90)
    assert perceptual_hash(lighter) == "f" * 16
    assert perceptual_hash(lighter.rotate(180)) == "0" * 16
    half = lighter.copy()
    half.paste(lighter.rotate(180).crop((0, 128, 256, 256)), (0, 128))
    assert perceptual_hash(half) == "f" * 8 + "0" * 8
