"""Parsers of what others wrote, with damaged and invented input: a result or an error of ours.

In `make test` each gets some hundred examples, in `make fuzz` a hundred times as many.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from bulkup.content.archive import ArchiveMember, members, open_member
from bulkup.content.media import is_media_head, media_type
from bulkup.content.picture.facts.exif import exif_facts, exif_of, is_adobe_rgb, orientation
from bulkup.content.picture.facts.iptc import iptc_facts
from bulkup.content.picture.facts.xmp import read_xmp
from bulkup.content.picture.header import header_facts
from bulkup.content.picture.isobmff import (
    metadata_boxes,
    primary_item,
    sequence_created,
    xmp_packet,
)
from bulkup.content.picture.tiff import wide_tiff
from bulkup.content.takeout.notes import read_note
from bulkup.errors import BulkupError, PictureInvalid, SettingsError, SourceError, StoreBroken
from bulkup.settings.load import load
from bulkup.stores.aws_config import profile_names, profile_settings
from bulkup.stores.s3.xml import read_error, read_objects, read_parts, read_uploads

# Pillow warns of damage; the workers and the command line ignore that.
pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore::UserWarning:PIL")]

TIMES = int(os.environ.get("BULKUP_EXAMPLES", "1"))
SOME = settings(max_examples=25 * TIMES, suppress_health_check=[HealthCheck.too_slow])
IN_FOLDER = settings(
    max_examples=25 * TIMES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def damaged(sound: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with some of them replaced, left out, doubled or cut off; or any bytes."""

    @st.composite
    def change(draw: st.DrawFn) -> bytes:
        data = bytearray(sound)
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, max(0, len(data) - 1)))
            size = draw(st.sampled_from([1, 2, 4, 8, 40]))
            match draw(st.sampled_from(["bits", "ones", "zeros", "drop", "double", "cut"])):
                case "bits":
                    data[at : at + 1] = bytes([draw(st.integers(0, 255))])
                case "ones":
                    data[at : at + size] = b"\xff" * size
                case "zeros":
                    data[at : at + size] = bytes(size)
                case "drop":
                    del data[at : at + size]
                case "double":
                    data[at:at] = data[at : at + size]
                case "cut":
                    del data[at:]
        return bytes(data)

    return change() | st.binary(max_size=200)


def exif_block() -> bytes:
    """A block with all directories."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = "Canon", "Canon PowerShot"
    tags[ExifTags.Base.Orientation] = 6
    details = tags.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2019:03:17 12:00:00"
    details[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    details[ExifTags.Base.FNumber] = 2.8
    details[ExifTags.Base.MakerNote] = b"Apple iOS\0\0\1MM\0\1\0\x11\0\2\0\0\0\5\0\0\0\x20ABCD\0"
    place = tags.get_ifd(ExifTags.IFD.GPSInfo)
    place.update({1: "N", 2: (54.0, 53.0, 26.5), 3: "E", 4: (10.0, 24.0, 37.0)})
    return tags.tobytes()


def picture(form: str, **options: object) -> bytes:
    """A small picture with EXIF."""
    out = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(out, form, exif=exif_block(), **options)
    return out.getvalue()


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:Rating="4"
 xmp:CreateDate="2019-03-17T12:00:00+02:00"
 exif:GPSLatitude="54,53.5N" exif:GPSLongitude="10,24.6E" exif:FNumber="28/10"><dc:subject><rdf:Bag>
 <rdf:li>boat</rdf:li><rdf:li>sea</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF>
</x:xmpmeta>"""
IPTC = (
    b"\x1c\x01\x5a\x00\x03\x1b%G\x1c\x02\x19\x00\x04boat\x1c\x02\x37\x00\x0820190317"
    b"\x1c\x02\x3c\x00\x0b120000+0200\x1c\x02\x78\x00\x03sea"
)
LISTING = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<NextContinuationToken>t</NextContinuationToken><Contents><Key>a%20b</Key><Size>12</Size>
<ETag>"x"</ETag><LastModified>2026-11-21T20:00:00.000Z</LastModified></Contents>
</ListBucketResult>"""
PARTS = b"""<ListPartsResult><UploadId>u</UploadId><IsTruncated>true</IsTruncated>
<NextPartNumberMarker>1</NextPartNumberMarker>
<Part><PartNumber>1</PartNumber><Size>5</Size><ETag>"x"</ETag></Part></ListPartsResult>"""
UPLOADS = b"""<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>
<NextKeyMarker>k</NextKeyMarker>
<NextUploadIdMarker>u</NextUploadIdMarker><Upload><Key>k</Key><UploadId>u</UploadId>
<Initiated>2026-11-21T20:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>"""
REFUSAL = b"<Error><Code>SlowDown</Code><Message>m</Message><Region>r</Region></Error>"
TOML = b"""manifest = "m.db"
[push]
to = "s3://bucket/x"
limit = 5
include = ["*.jpg"]
max_duration = "10m"
newer_than = 2026-01-31
[s3]
metadata = { a = "b" }
[profile.work]
push.limit = 3
[destinations.nas]
to = "/nas"
"""
AWS_CONFIG = b"""[default]
region = eu-central-1
[profile a]
services = b
s3 =
  addressing_style = path
[services b]
s3 =
  endpoint_url = http://127.0.0.1:9000
"""
NOTE = b"""{"title": "IMG_1.JPG", "photoTakenTime": {"timestamp": "1552816800"}, "description": "x",
"geoData": {"latitude": 54.8, "longitude": 10.4, "altitude": 1.0}, "people": [{"name": "Zoe"}]}"""


@given(damaged(exif_block()))
@SOME
def test_exif(block: bytes) -> None:
    tags = exif_of(block)
    assert 1 <= orientation(tags) <= 8
    is_adobe_rgb(tags)
    facts = exif_facts(tags)
    assert facts.place is None or abs(facts.place.latitude_degrees) <= 90


def test_a_tiff_that_ends_in_its_header_is_none() -> None:
    assert wide_tiff(io.BytesIO(b"II*\0")) is None


@given(damaged(XMP))
@SOME
def test_xmp(packet: bytes) -> None:
    with suppress(PictureInvalid):
        read_xmp(packet)


@given(damaged(IPTC))
@SOME
def test_iptc(block: bytes) -> None:
    iptc_facts(block)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
@given(st.data())
@SOME
def test_pictures_are_described_or_not(form: str, data: st.DataObject) -> None:
    body = data.draw(damaged(picture(form)))
    for name in (f"a.{form.lower()}", "a.mp4", "a"):
        header_facts(io.BytesIO(body), name)
        media_type(name, body[:512])
    is_media_head(body[:512])
    for read in (primary_item, metadata_boxes, sequence_created, xmp_packet, wide_tiff):
        read(io.BytesIO(body))


@pytest.mark.timeout(60)
def test_a_box_of_brands_that_claims_4_gb_is_read_as_far_as_it_goes() -> None:
    body = b"\xff\xd8\xff\xe0ftypIF\0\1" + bytes(40)
    for name in ("a.jpg", "a.heic"):
        assert header_facts(io.BytesIO(body), name) == header_facts(io.BytesIO(b""), name)


@pytest.mark.parametrize("size", [1 << 43, (1 << 63) - 1, (1 << 64) - 1])
def test_a_box_beyond_the_end_of_what_a_file_can_be_ends_the_boxes(
    tmp_path: Path, size: int
) -> None:
    body = b"\0\0\0\1free" + size.to_bytes(8, "big") + bytes(40)
    path = tmp_path / "a.mp4"
    path.write_bytes(body)
    with path.open("rb") as file:
        for one in (file, io.BytesIO(body)):
            for read in (primary_item, metadata_boxes, sequence_created, xmp_packet):
                read(one)


@pytest.mark.parametrize(
    ("read", "document"),
    [(read_objects, LISTING), (read_parts, PARTS), (read_uploads, UPLOADS), (read_error, REFUSAL)],
)
@given(st.data())
@SOME
def test_xml_of_a_server(
    read: Callable[[bytes], object], document: bytes, data: st.DataObject
) -> None:
    assert read(document)
    with suppress(StoreBroken):
        read(data.draw(damaged(document)))


@given(damaged(TOML))
@IN_FOLDER
def test_a_settings_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "bulkup.toml"
    path.write_bytes(text)
    for profile in (None, "work"):
        with suppress(BulkupError):
            load({"config": str(path), "profile": profile}, {}, tmp_path)


@given(st.dictionaries(st.sampled_from(sorted({"BULKUP_LIMIT", "BULKUP_MAX_DURATION",
    "BULKUP_BWLIMIT", "BULKUP_STAGES", "BULKUP_NEWER_THAN", "BULKUP_METADATA", "BULKUP_TO",
    "BULKUP_ENDPOINT_URL", "BULKUP_NOTIFY_WEBHOOK", "BULKUP_CONCURRENCY", "BULKUP_LAYOUT"})),
    st.text(max_size=20)))  # fmt: skip
@IN_FOLDER
def test_the_environment(tmp_path: Path, environ: dict[str, str]) -> None:
    with suppress(BulkupError):
        load({}, {"BULKUP_HOME": str(tmp_path), **environ}, tmp_path, tmp_path)


@given(damaged(AWS_CONFIG))
@IN_FOLDER
def test_the_aws_files(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "config"
    path.write_bytes(text)
    environ = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(path)}
    with suppress(SettingsError):
        for profile in (None, *profile_names(environ)):
            profile_settings(environ, profile)


@given(damaged(NOTE))
@SOME
def test_a_takeout_note(body: bytes) -> None:
    read_note(body)


def archive() -> bytes:
    """A small archive: stored, deflated, a comment, an extra field."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("one.jpg", b"first" * 20, zipfile.ZIP_DEFLATED)
        file.writestr("zwei ü.jpg", b"second")
        file.comment = b"a comment"
    return out.getvalue()


@given(damaged(archive()))
@IN_FOLDER
def test_an_archive(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(body)
    with suppress(SourceError):
        for one in members(str(path)):
            if isinstance(one, ArchiveMember):
                with suppress(SourceError), open_member(str(path), one.name) as file:
                    file.read()
