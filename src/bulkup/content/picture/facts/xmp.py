"""XMP packets (ISO 16684-1) in sidecars and inside pictures, parsed defensively.

Only the text from the first `<x:xmpmeta` to its end is parsed: headers and trailers are often
damaged, and what follows a packet is often the rest of a longer one. Without a document type
there are no entities to expand or fetch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

from bulkup.content.picture.facts.apple import identifier
from bulkup.content.picture.facts.exif import made_by, rating_of_percent
from bulkup.content.picture.facts.moments import moment_of
from bulkup.content.picture.facts.places import coordinate_of, number_of, place_of
from bulkup.content.picture.types import MOST_KEYWORDS, Exposure, Moment, PictureFacts, Place
from bulkup.errors import PictureInvalid

LIMIT_BYTES: Final = 4 << 20
"""Real packets have some KiB; with an edit history they reach a few hundred."""

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RDF_VALUE: Final = _RDF + "value"
_ITEM_TAG: Final = re.compile(re.escape(_RDF) + r"(?:li|_\d+)").fullmatch
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_EXIF: Final = "{http://ns.adobe.com/exif/1.0/}"
_EXIF_EX: Final = "{http://cipa.jp/exif/1.0/}"
_AUX: Final = "{http://ns.adobe.com/exif/1.0/aux/}"
_TIFF: Final = "{http://ns.adobe.com/tiff/1.0/}"
_XMP: Final = "{http://ns.adobe.com/xap/1.0/}"
_PHOTOSHOP: Final = "{http://ns.adobe.com/photoshop/1.0/}"
_CAMERA: Final = "{http://ns.google.com/photos/1.0/camera/}"  # motion photo format 1.0, Android
_ITEM: Final = "{http://ns.google.com/photos/1.0/container/item/}"
_MICROSOFT: Final = "{http://ns.microsoft.com/photo/1.0/}"

_HIERARCHIES: Final = (  # Lightroom and darktable, digiKam, Windows
    ("{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject", "|"),
    ("{http://www.digikam.org/ns/1.0/}TagsList", "/"),
    (_MICROSOFT + "LastKeywordXMP", "/"),
)

_DIGIKAM_ROOT: Final = "_Digikam_root_tag_"
_AUTOMATIC: Final = frozenset({"_Digikam_Internal_Tags_", "darktable"})
"""Hierarchies that programs keep for themselves: colour labels, 'darktable|exported'."""

# Dates by rank: the property, and those of its offset and fraction where they are separate.
_ORIGINAL: Final = (
    (_EXIF + "DateTimeOriginal", _EXIF_EX + "OffsetTimeOriginal", _EXIF + "SubSecTimeOriginal"),
    (_PHOTOSHOP + "DateCreated", "", ""),
    ("{http://ns.acdsee.com/iptc/1.0/}datetime", "", ""),
    ("{http://ns.adobe.com/xmp/1.0/DynamicMedia/}shotDate", "", ""),
)
_DIGITISED: Final = (
    (_EXIF + "DateTimeDigitized", _EXIF_EX + "OffsetTimeDigitized", _EXIF + "SubSecTimeDigitized"),
    (_XMP + "CreateDate", "", ""),
)
_MODIFIED: Final = ((_XMP + "ModifyDate", "", ""), (_TIFF + "DateTime", "", ""))

_BYTE_ORDER_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# The first tag, perhaps after blanks: zeros before or behind each character.
_WIDE_STARTS: Final = (
    (re.compile(rb"(?:[ \t\r\n]\0\0\0)*<\0\0\0[^\0]\0\0\0"), "utf-32-le"),
    (re.compile(rb"(?:\0\0\0[ \t\r\n])*\0\0\0<\0\0\0[^\0]"), "utf-32-be"),
    (re.compile(rb"(?:[ \t\r\n]\0)*<\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"(?:\0[ \t\r\n])*\0<\0[^\0]"), "utf-16-be"),
)
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,100}encoding=[\"']([\w-]{1,40})[\"']")
_ROOTS: Final = tuple(
    re.compile(rf"<((?:\w+:)?{name})\b.*?(?:</\1\s*>|\Z)", re.DOTALL)
    for name in ("xmpmeta", "xapmeta", "RDF")
)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Properties = dict[str, list[str]]


class Packet(NamedTuple):
    """What an XMP packet says; `extension` is that of the file that a sidecar belongs to, and
    `orientation` is EXIF's, 1 to 8."""

    facts: PictureFacts
    extension: str | None
    orientation: int = 1


def read_xmp(packet: bytes) -> Packet:
    """Read the packet. Raises PictureInvalid when it is no XMP or has a document type."""
    if len(packet) > LIMIT_BYTES:
        raise PictureInvalid(f"XMP of {len(packet)} bytes; {LIMIT_BYTES} are allowed")
    text = _decoded(packet)
    found = next((found for root in _ROOTS if (found := root.search(text))), None)
    if "<!DOCTYPE" in (text if found is None else text[: found.start()]):
        raise PictureInvalid("XMP with a document type")
    if found is None:
        raise PictureInvalid("XMP without an rdf:RDF element")
    root = _parsed(_NOT_XML.sub("", found[0]))
    properties = _properties(root)
    extension = _first(properties, _PHOTOSHOP + "SidecarForExtension")
    facts = replace(_facts(properties), motion_bytes=_motion_bytes(properties, root))
    turn = number_of(_first(properties, _TIFF + "Orientation"))
    return Packet(facts, extension, int(turn) if turn is not None and turn in range(1, 9) else 1)


def _decoded(packet: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if packet.startswith(mark):
            return packet[len(mark) :].decode(encoding, "replace")
    for begin, encoding in _WIDE_STARTS:
        if begin.match(packet):
            return packet.decode(encoding, "replace")
    declared = _DECLARED.match(packet.lstrip(b"\0 \r\n\t"))
    encoding = declared[1].decode() if declared else "utf-8"
    if encoding.lower().startswith(("utf-16", "utf-32")):  # it is not, as the zeros are missing
        encoding = "utf-8"
    try:
        return packet.decode(encoding, "replace")
    except LookupError:
        return packet.decode("utf-8", "replace")


def _parsed(text: str) -> Any:
    """The element; of one that ends early or is damaged what precedes the damage.

    Raises PictureInvalid when not even its beginning is XML.
    """
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - no document type
    except (ElementTree.ParseError, ValueError) as error:
        reason = error
    parser: Any = ElementTree.XMLPullParser(("start",))
    with suppress(ElementTree.ParseError, ValueError):
        parser.feed(text)
    elements: list[Any] = []
    with suppress(ElementTree.ParseError):
        elements.extend(element for _, element in parser.read_events())
    if any(element.tag == _RDF + "Description" for element in elements):
        return elements[0]
    raise PictureInvalid(f"XMP that is not XML: {reason}") from reason


def _properties(root: Any) -> Properties:
    """Values by qualified name: attributes of rdf:Description and its elements mean the same.

    Descriptions that are nested tell about other pictures, for instance about layers.
    """
    found: Properties = {}
    for rdf in root.iter(_RDF + "RDF"):
        for description in rdf.findall(_RDF + "Description"):
            for name, value in description.attrib.items():
                found.setdefault(_qualified(name), [value])
            for element in description:
                found.setdefault(_qualified(element.tag), _values(element))
    return found


def _qualified(name: str) -> str:
    """The name with the slash that some programs leave out at the end of its namespace."""
    namespace, end, local = name.rpartition("}")
    return name if not end or namespace[-1] in "/#" else f"{namespace}/}}{local}"


def _values(element: Any) -> list[str]:
    """The text of a property, or of its items; of alternatives the default language first."""
    items = [one for one in element.iter() if _ITEM_TAG(one.tag)]
    if element.find(_RDF + "Alt") is not None:
        items.sort(key=lambda item: item.get(_XML_LANG) != "x-default")
    return [_value(one) for one in items or (element,)]


def _value(element: Any) -> str:
    """The text; of a value with qualifiers the value (`rdf:value`, ISO 16684-1, 7.8)."""
    for one in element.iter():
        if _RDF_VALUE in one.attrib:
            return str(one.get(_RDF_VALUE))
    return element.findtext(f".//{_RDF_VALUE}") or element.text or ""


def _facts(properties: Properties) -> PictureFacts:
    def first(name: str) -> str | None:
        return _first(properties, name)

    return PictureFacts(
        taken_from="xmp",
        original=_moment(properties, _ORIGINAL),
        digitised=_moment(properties, _DIGITISED),
        modified=_moment(properties, _MODIFIED),
        camera=made_by(first(_TIFF + "Make"), first(_TIFF + "Model")),
        lens=first(_EXIF_EX + "LensModel") or first(_AUX + "Lens"),
        exposure=_exposure(properties),
        place=_place(properties),
        rating=_rating(properties),
        title=first(_DC + "title"),
        description=first(_DC + "description") or first(_TIFF + "ImageDescription"),
        keywords=_keywords(properties),
        tags=_tags(properties),
        burst_id=identifier(first(_CAMERA + "BurstID")),
    )


def _motion_bytes(properties: Properties, root: Any) -> int | None:
    """The length of the video at the end of the file: of the container's item, or as the format
    before it said (MicroVideoOffset)."""
    lengths = [
        item.get(_ITEM + "Length") or item.findtext(_ITEM + "Length")
        for item in root.iter()
        if "MotionPhoto" in (item.get(_ITEM + "Semantic"), item.findtext(_ITEM + "Semantic"))
    ]
    lengths.append(_first(properties, _CAMERA + "MicroVideoOffset"))
    found = (number_of(length) for length in lengths)
    return next((int(number) for number in found if number is not None and number > 0), None)


def _first(properties: Properties, name: str) -> str | None:
    return next((text for value in properties.get(name, ()) if (text := value.strip())), None)


def _keywords(properties: Properties) -> tuple[str, ...]:
    """The keywords; where there are only those in a hierarchy, their last parts."""
    found = _words(properties.get(_DC + "subject", ()))
    for name, separator in _HIERARCHIES:
        found = found or _words(
            value.rpartition(separator)[2] for value in properties.get(name, ())
        )
    return found[:MOST_KEYWORDS]


def _tags(properties: Properties) -> tuple[str, ...]:
    """The keywords in their hierarchy, as Lightroom, darktable and digiKam keep them, and those
    above them."""
    found: dict[str, None] = {}
    for name, separator in _HIERARCHIES:
        for value in properties.get(name, ()):
            parts = [words for part in value.split(separator) if (words := " ".join(part.split()))]
            if parts and parts[0] == _DIGIKAM_ROOT:
                del parts[0]
            if parts and parts[0] not in _AUTOMATIC:
                found.update(("/".join(parts[:end]), None) for end in range(1, len(parts) + 1))
    return tuple(found)[:MOST_KEYWORDS]


def _words(values: Iterable[str]) -> tuple[str, ...]:
    words = (" ".join(value.split()) for value in values)
    return tuple(dict.fromkeys(word for word in words if word))


def _moment(properties: Properties, names: tuple[tuple[str, str, str], ...]) -> Moment | None:
    for date, offset, fraction in names:
        offsets = (offset, offset.replace(_EXIF_EX, _EXIF))  # EXIF 2.31 had them in the other one
        minutes = next((text for name in offsets if (text := _first(properties, name))), None)
        moment = moment_of(_first(properties, date), minutes, _first(properties, fraction))
        if moment is not None:
            return moment
    return None


def _exposure(properties: Properties) -> Exposure:
    def positive(name: str, namespace: str = _EXIF) -> float | None:
        number = number_of(_first(properties, namespace + name))
        return number if number is not None and 0 < number < 1e6 else None

    iso = positive("ISOSpeedRatings") or positive("PhotographicSensitivity", _EXIF_EX)
    return Exposure(
        f_number=positive("FNumber"),
        exposure_seconds=positive("ExposureTime"),
        iso=None if iso is None else int(iso),
        focal_length_mm=positive("FocalLength"),
    )


def _rating(properties: Properties) -> int | None:
    number = number_of(_first(properties, _XMP + "Rating"))
    if number is not None and -1 <= number <= 5:
        return int(number)
    percent = number_of(_first(properties, _MICROSOFT + "Rating"))
    return rating_of_percent(percent) if percent is not None and 1 <= percent <= 100 else None


def _place(properties: Properties) -> Place | None:
    def coordinate(name: str, axis: str) -> float | None:
        reference = _first(properties, f"{_EXIF}{name}Ref")
        return coordinate_of(_first(properties, _EXIF + name), reference, axis)

    altitude = number_of(_first(properties, _EXIF + "GPSAltitude"))
    if altitude is not None and _first(properties, _EXIF + "GPSAltitudeRef") == "1":
        altitude = -altitude
    return place_of(coordinate("GPSLatitude", "NS"), coordinate("GPSLongitude", "EW"), altitude)
