"""XMP packets: damaged ones, and every spelling of a fact."""

from __future__ import annotations

import pytest

from bulkup.content.picture.facts.xmp import read_xmp
from bulkup.content.picture.types import PictureFacts, Place
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import xmp

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
    said = read_xmp(b"<?xpacket begin='\xef\xbb\xbf'?>" + XMP.encode()).facts
    assert str(said.taken_at) == "2020-05-06T07:08:09-03:00"
    assert said.place == Place(48.51, -11.26, 525.0)
    assert (said.rating, said.keywords) == (4, ("lake", "swan"))
    assert said.description == "At the lake"


def test_a_sidecar_in_utf_16_is_read() -> None:
    assert read_xmp((XMP + "\n").encode("utf-16")).facts.rating == 4


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


def said(*elements: str, **attributes: str) -> PictureFacts:
    return read_xmp(xmp(*elements, **attributes)).facts


SOUND = xmp("<photoshop:DateCreated>1988-12-01T18:53:44</photoshop:DateCreated>", xmp_Rating="4")
END = b"<?xpacket end='w'?>"


@pytest.mark.parametrize(
    "packet",
    [
        SOUND + b"</rdf:RDF></x:xmpmeta><?xpacket end='r'?>",
        SOUND.replace(END, b"<?xpacket end='w'"),
        SOUND + b"\0\0and some text",
        SOUND.replace("\ufeff".encode(), b"\xff"),
        SOUND.replace(END, b""),
        SOUND.decode().encode("utf-16-le"),
        SOUND.decode().encode("utf-16-be"),
        SOUND.decode().encode("utf-32-le"),
        SOUND.decode().encode("utf-32-be"),
        SOUND[SOUND.index(b"<rdf:RDF") : SOUND.index(b"</x:xmpmeta>")],
        SOUND.replace(b"rdf:about=\"\"", b"rdf:about=\"\x01\""),
    ],
    ids=["rest of a longer packet", "cut trailer", "NUL and text", "begin is no character",
         "no trailer", "UTF-16 LE without mark", "UTF-16 BE without mark",
         "UTF-32 LE without mark", "UTF-32 BE without mark", "without xmpmeta",
         "control character"],
)  # fmt: skip
def test_damage_outside_of_the_properties_costs_nothing(packet: bytes) -> None:
    found = read_xmp(packet).facts
    assert (str(found.taken_at), found.rating) == ("1988-12-01T18:53:44", 4)


@pytest.mark.parametrize(
    ("latitude", "longitude", "reference"),
    [
        ("43,4.584N", "79,4.62W", False),
        ("43,4,35.04N", "79,4,37.2W", False),
        ("43.0764", "79.077", True),
        ("43.0764", "-79.077", False),
        ("43.07640N", "79.07700W", False),
        ("43,4.584 n", "79,4.62 w", False),
        ("43,4.5840000000N", "79,4.6200000000W", False),
        ("N 43\u00b0 4\u2032 35.04\u2033", "W 79\u00b0 4\u2032 37.2\u2033", False),
        ("43 deg 4' 35.04\" N", "79 deg 4' 37.2\" W", False),
        ("43.0764 North", "79.077 West", False),
        ("43.0764", "\u221279.077", False),
        ("4.30764e1", "-7.9077E+1", False),
        ("43,4,35.04,N", "79,4,37.2,W", False),
        ("43,00000,4,00000,35,04000", "79,00000,4,00000,37,20000", True),
    ],
)
def test_a_place_is_read_in_every_spelling(latitude: str, longitude: str, reference: bool) -> None:
    references = {"exif_GPSLatitudeRef": "N", "exif_GPSLongitudeRef": "W"} if reference else {}
    elements = (
        f"<exif:GPSLatitude>{latitude}</exif:GPSLatitude>",
        f"<exif:GPSLongitude>{longitude}</exif:GPSLongitude>",
    )
    assert said(*elements, **references).place == Place(43.0764, -79.077)


@pytest.mark.parametrize("latitude", ["43,64.5N", "43,4.5E", "north", "91.0", ""])
def test_a_place_that_is_none_is_left_out(latitude: str) -> None:
    assert said(exif_GPSLatitude=latitude, exif_GPSLongitude="79,4.62W").place is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1988-12-01T18:53:44", "1988-12-01T18:53:44"),
        ("1988-12-01T18:53", "1988-12-01T18:53:00"),
        ("1988-12-01T18:53:44Z", "1988-12-01T18:53:44+00:00"),
        ("1988-12-01T18:53:44-05:00", "1988-12-01T18:53:44-05:00"),
        ("1988-12-01T18:53:44-0500", "1988-12-01T18:53:44-05:00"),
        ("1988-12-01T18:53:44+02", "1988-12-01T18:53:44+02:00"),
        ("1988-12-01T18:53:44.25", "1988-12-01T18:53:44.250000"),
        ("1988-12-01T18:53:44.25+02:00", "1988-12-01T18:53:44.250000+02:00"),
        ("2024-02-03T10:11:12.526GMT+02:00", "2024-02-03T10:11:12.526000+02:00"),
        ("1988-12-01", "1988-12-01"),
        ("1988-12", "1988-12"),
        ("1988", "1988"),
        ("1988 or later", "None"),
    ],
)
def test_a_date_is_read_as_far_as_it_goes(text: str, moment: str) -> None:
    assert str(said(exif_DateTimeOriginal=text).taken_at) == moment


@pytest.mark.parametrize(
    "name",
    [
        "{http://ns.acdsee.com/iptc/1.0/}datetime",
        "{http://ns.adobe.com/xmp/1.0/DynamicMedia/}shotDate",
    ],
)
def test_the_dates_of_acdsee_and_of_films_are_read(name: str) -> None:
    namespace, _, local = name[1:].partition("}")
    element = f"<a:{local} xmlns:a='{namespace}'>2009-05-05T12:13:14.250</a:{local}>"
    found = said(element, xmp_CreateDate="2020-01-01")
    assert str(found.taken_at) == "2009-05-05T12:13:14.250000"


def test_dates_are_ranked() -> None:
    dates = {"xmp_ModifyDate": "2020-01-01", "xmp_CreateDate": "2010-01-01"}
    assert str(said(**dates).taken_at) == "2010-01-01"
    assert str(said(**dates, photoshop_DateCreated="1985-07-04").taken_at) == "1985-07-04"


def test_descriptions_of_other_pictures_do_not_count() -> None:
    """Of layers, or of what a montage was made of."""
    other = (
        '<photoshop:DocumentAncestors><rdf:Description exif:DateTimeOriginal="1999-01-01"/>'
        "</photoshop:DocumentAncestors>"
    )
    assert said(other).taken_at is None


def test_the_default_language_comes_first() -> None:
    title = (
        '<dc:title><rdf:Alt><rdf:li xml:lang="de">Boot</rdf:li>'
        '<rdf:li xml:lang="x-default">Boat</rdf:li></rdf:Alt></dc:title>'
    )
    assert said(title).title == "Boat"


def test_a_sidecar_names_the_extension_that_it_belongs_to() -> None:
    assert read_xmp(xmp(photoshop_SidecarForExtension="HEIC")).extension == "HEIC"
    assert read_xmp(xmp()).extension is None


def test_a_packet_that_ends_in_the_middle_gives_what_precedes_the_end() -> None:
    whole = xmp("<dc:subject><rdf:Bag><rdf:li>dhow</rdf:li></rdf:Bag></dc:subject>", xmp_Rating="4")
    facts = read_xmp(whole[: whole.index(b"</rdf:Description>")]).facts
    assert (facts.rating, facts.keywords) == (4, ("dhow",))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_after_blanks_are_read(encoding: str) -> None:
    packet = "\n  " + xmp(xmp_Rating="4").decode()
    assert read_xmp(packet.encode(encoding)).facts.rating == 4


def test_a_wide_encoding_that_is_declared_and_not_used_is_ignored() -> None:
    packet = b'<?xml version="1.0" encoding="UTF-16"?>' + xmp(xmp_Rating="4")
    assert read_xmp(packet).facts.rating == 4


def test_namespaces_without_their_slash_are_known() -> None:
    packet = xmp("<dc:title>Boat</dc:title>", exif_DateTimeOriginal="1988-12-01")
    for name in (b"http://ns.adobe.com/exif/1.0", b"http://purl.org/dc/elements/1.1"):
        packet = packet.replace(name + b'/"', name + b'"')
    facts = read_xmp(packet).facts
    assert (facts.title, str(facts.taken_at)) == ("Boat", "1988-12-01")


@pytest.mark.parametrize(
    "items",
    [
        "<rdf:_1>dhow</rdf:_1><rdf:_2>sea</rdf:_2>",
        '<rdf:li rdf:parseType="Resource"><rdf:value>dhow</rdf:value></rdf:li><rdf:li>sea</rdf:li>',
        '<rdf:li><rdf:Description rdf:value="dhow"/></rdf:li><rdf:li>sea</rdf:li>',
    ],
)
def test_items_are_read_in_every_spelling(items: str) -> None:
    packet = xmp(f"<dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>")
    assert read_xmp(packet).facts.keywords == ("dhow", "sea")


@pytest.mark.parametrize(
    ("prefix", "namespace", "name", "tags"),
    [
        ("lr", "http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject", "Boats|dhow"),
        ("digiKam", "http://www.digikam.org/ns/1.0/", "TagsList", "Boats/dhow"),
        ("MicrosoftPhoto", "http://ns.microsoft.com/photo/1.0/", "LastKeywordXMP", "Boats/dhow"),
    ],
)
def test_keywords_that_are_only_in_a_hierarchy_are_its_last_parts(
    prefix: str, namespace: str, name: str, tags: str
) -> None:
    element = (
        f'<{prefix}:{name} xmlns:{prefix}="{namespace}"><rdf:Seq><rdf:li>{tags}</rdf:li></rdf:Seq>'
        f"</{prefix}:{name}>"
    )
    assert read_xmp(xmp(element)).facts.keywords == ("dhow",)
    plain = "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>"
    assert read_xmp(xmp(element, plain)).facts.keywords == ("sea",)


def test_a_hierarchy_has_those_above_and_nothing_that_programs_keep_for_themselves() -> None:
    values = ["_Digikam_root_tag_/A/ B  b ", "_Digikam_Internal_Tags_/x", "darktable/y", "/", "A/C"]
    items = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
    element = (
        '<digiKam:TagsList xmlns:digiKam="http://www.digikam.org/ns/1.0/"><rdf:Seq>'
        f"{items}</rdf:Seq></digiKam:TagsList>"
    )
    assert read_xmp(xmp(element)).facts.tags == ("A", "A/B b", "A/C")


def test_an_empty_text_in_the_default_language_gives_way_to_another() -> None:
    items = '<rdf:li xml:lang="x-default"/><rdf:li xml:lang="en">Boat</rdf:li>'
    packet = xmp(f"<dc:title><rdf:Alt>{items}</rdf:Alt></dc:title>", tiff_ImageDescription="A boat")
    facts = read_xmp(packet).facts
    assert (facts.title, facts.description) == ("Boat", "A boat")


def test_an_offset_beside_the_date_is_read_in_the_older_namespace_too() -> None:
    packet = xmp(exif_DateTimeOriginal="1988-12-01T18:53:44", exif_OffsetTimeOriginal="+02:00")
    assert str(read_xmp(packet).facts.taken_at) == "1988-12-01T18:53:44+02:00"
