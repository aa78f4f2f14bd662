"""Coordinates as EXIF, XMP and video containers write them."""

from __future__ import annotations

import math
import re
from typing import Final

from bulkup.content.picture.types import Place

_NUMBER: Final = r"\d+(?:\.\d*)?(?:e[+-]?\d+)?(?:/\d+)?"
_GAP: Final = r"\s*(?:,|\u00b0|\u00ba|deg|d|['\u2032\u2019:]|\s)\s*"
_LETTER: Final = r"(N(?:orth)?|S(?:outh)?|E(?:ast)?|W(?:est)?)"
_COORDINATE: Final = re.compile(
    rf"{_LETTER}?\s*([+\-\u2212])?({_NUMBER})(?:{_GAP}({_NUMBER}))?(?:{_GAP}({_NUMBER}))?"
    rf"\s*(?:\u00b0|\u00ba|deg|['\u2032\u2019\"\u2033\u201d]+)?\s*,?\s*{_LETTER}?",
    re.IGNORECASE,
)
_DECIMAL_COMMAS: Final = re.compile(  # of a phone's locale: "52,00000,50,00000,34,01180"
    r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)"
).fullmatch
_ISO_6709: Final = re.compile(
    r"([+-])(\d\d)(\d\d)?(\d\d)?(\.\d*)?([+-])(\d{3})(\d\d)?(\d\d)?(\.\d*)?"
    r"([+-]\d+(?:\.\d*)?)?"
)
_PLAIN_6709: Final = re.compile(  # of programs that leave zeros in front out
    r"([+-]\d{1,2}(?:\.\d*)?)([+-]\d{1,3}(?:\.\d*)?)([+-]\d+(?:\.\d*)?)?(?![\d.])"
)


def coordinate_of(text: str | None, reference: str | None, axis: str) -> float | None:
    """Degrees north or east; None when `text` is no coordinate of this `axis`, "NS" or "EW".

    XMP's "DDD,MM.mmmK" and "DDD,MM,SSK" (XMP specification, part 2, GPSCoordinate), decimal
    degrees with a sign, a letter or a separate `reference`, and degrees, minutes and seconds with
    their usual marks.
    """
    text = (text or "").strip()
    if commas := _DECIMAL_COMMAS(text):
        text = "{}.{},{}.{},{}.{}".format(*commas.groups())
    found = _COORDINATE.fullmatch(text)
    if found is None:
        return None
    letter = (found[1] or found[6] or (reference or "").strip() or axis[0])[0].upper()
    parts = [number_of(part) or 0.0 for part in found.groups()[2:5] if part is not None]
    if letter not in axis or any(part >= 60 for part in parts[1:]):
        return None
    degrees = sum(part / (1, 60, 3600)[at] for at, part in enumerate(parts))
    return -degrees if found[2] in ("-", "\u2212") or letter in "SW" else degrees


def place_of(
    latitude: float | None, longitude: float | None, altitude: float | None = None
) -> Place | None:
    """The place; None for a part that is missing, outside the globe, or for 0° 0°.

    Cameras without a position write 0° 0°. Altitudes are dropped where no camera can be.
    """
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    if altitude is not None and not -12_000 < altitude < 100_000:
        altitude = None
    return Place(round(latitude, 7), round(longitude, 7), altitude)


def iso_6709(text: str | None) -> Place | None:
    """The place of "+32.0929+034.8620+028.516/" (ISO 6709, annex H), of degrees and minutes
    ("+4851.498+00217.670/"), or of degrees, minutes and seconds."""
    text = (text or "").strip()
    if plain := _PLAIN_6709.match(text):
        return place_of(*(None if part is None else float(part) for part in plain.groups()))
    found = _ISO_6709.match(text)
    if found is None:
        return None
    parts = found.groups()
    altitude = None if parts[10] is None else float(parts[10])
    return place_of(_sexagesimal(*parts[:5]), _sexagesimal(*parts[5:10]), altitude)


def _sexagesimal(sign: str, *digits: str | None) -> float | None:
    """Degrees, minutes, seconds, and the fraction of the last of them that is there."""
    *parts, fraction = digits
    numbers = [float(part) for part in parts if part is not None]
    numbers[-1] += float(f"0{fraction or '.0'}")
    if any(number >= 60 for number in numbers[1:]):
        return None
    degrees = sum(number / (1, 60, 3600)[at] for at, number in enumerate(numbers))
    return -degrees if sign == "-" else degrees


def number_of(text: str | None) -> float | None:
    """A plain number, or a fraction as EXIF values have in XMP."""
    above, _, below = (text or "").partition("/")
    try:
        number = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None
