"""XMP packets (ISO 16684-1), in sidecars and inside pictures, read without trust.

No document type is accepted: without one there are no entities to expand or fetch.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final
from xml.etree import ElementTree

from bulkup.content.picture.exif import moment_of, place_of
from bulkup.content.picture.types import Moment, Place, Sidecar
from bulkup.errors import PictureInvalid

LIMIT_BYTES: Final = 4 << 20
"""Real packets are of some KiB; those with edit histories reach a few hundred."""

_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_EXIF: Final = "{http://ns.adobe.com/exif/1.0/}"
_XMP: Final = "{http://ns.adobe.com/xap/1.0/}"
_PHOTOSHOP: Final = "{http://ns.adobe.com/photoshop/1.0/}"
_DATES: Final = (
    _EXIF + "DateTimeOriginal",
    _PHOTOSHOP + "DateCreated",
    _XMP + "CreateDate",
    _EXIF + "DateTimeDigitized",
)
_MOST_KEYWORDS: Final = 500
_COORDINATE = re.compile(r"(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])")


class _NoDocumentType(ElementTree.TreeBuilder):
    """Builds the tree, and stops at a document type, before an entity could be used."""

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        raise PictureInvalid(f"XMP with a document type ({name[:40]})")


def read_xmp(packet: bytes) -> Sidecar:
    """What the packet says. Raises PictureInvalid when it is no XMP, or hides entities in it."""
    if len(packet) > LIMIT_BYTES:
        raise PictureInvalid(f"XMP of {len(packet)} bytes; {LIMIT_BYTES} are allowed")
    parser = ElementTree.XMLParser(target=_NoDocumentType())  # noqa: S314 - see above
    if not packet.startswith(_UTF_16):  # in which these bytes are halves of characters
        packet = packet.strip(b"\0 \r\n\t")
    try:
        parser.feed(packet)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise PictureInvalid(f"XMP that is no XML: {error}") from error
    properties = _properties(root)
    return Sidecar(
        taken_at=_taken_at(properties),
        place=_place(properties),
        rating=_rating(properties.get(_XMP + "Rating")),
        title=_first(properties.get(_DC + "title")),
        description=_first(properties.get(_DC + "description")),
        keywords=_keywords(properties.get(_DC + "subject")),
    )


def _properties(root: Any) -> dict[str, list[str]]:
    """Values by qualified name: attributes of rdf:Description and its elements mean the same."""
    found: dict[str, list[str]] = {}
    for description in root.iter(_RDF + "Description"):
        for name, value in description.attrib.items():
            found.setdefault(name, [value])
        for element in description:
            items = [item.text or "" for item in element.iter(_RDF + "li")]
            found.setdefault(element.tag, items or [element.text or ""])
    return found


def _first(values: list[str] | None) -> str | None:
    text = values[0].strip() if values else ""
    return text or None


def _keywords(values: list[str] | None) -> tuple[str, ...]:
    words = (" ".join(value.split()) for value in values or ())
    return tuple(dict.fromkeys(word for word in words if word))[:_MOST_KEYWORDS]


def _taken_at(properties: dict[str, list[str]]) -> Moment | None:
    for name in _DATES:
        moment = moment_of(_first(properties.get(name)) or "")
        if moment is not None:
            return moment
    return None


def _rating(values: list[str] | None) -> int | None:
    number = _number(_first(values))
    return int(number) if number is not None and -1 <= number <= 5 else None


def _place(properties: dict[str, list[str]]) -> Place | None:
    latitude = _coordinate(_first(properties.get(_EXIF + "GPSLatitude")))
    longitude = _coordinate(_first(properties.get(_EXIF + "GPSLongitude")))
    if latitude is None or longitude is None:
        return None
    altitude = _number(_first(properties.get(_EXIF + "GPSAltitude")))
    if altitude is not None and _first(properties.get(_EXIF + "GPSAltitudeRef")) == "1":
        altitude = -altitude
    return place_of(latitude, longitude, altitude)


def _coordinate(text: str | None) -> float | None:
    """Degrees from "DDD,MM.mmmmK" or "DDD,MM,SSK" (XMP specification, part 2, GPSCoordinate)."""
    found = _COORDINATE.fullmatch(text or "")
    if found is None:
        return None
    degrees = int(found[1]) + float(found[2]) / 60 + float(found[3] or 0) / 3600
    return -degrees if found[4] in "SW" else degrees


def _number(text: str | None) -> float | None:
    """A plain number, or a fraction as EXIF values have in XMP."""
    above, _, below = (text or "").partition("/")
    try:
        number = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None
