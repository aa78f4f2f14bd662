"""EXIF (CIPA DC-008, 3.0) as values. Every tag may be missing, broken or a lie."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from PIL import Image

from bulkup.content.picture.types import Exposure, Moment, Place

Tags = Mapping[int, Any]

EXIF_IFD: Final = 0x8769
GPS_IFD: Final = 0x8825
ORIENTATION: Final = 0x0112
MAKE: Final = 0x010F
MODEL: Final = 0x0110
LENS_MAKE: Final = 0xA433
LENS_MODEL: Final = 0xA434
INTEROP_IFD: Final = 0xA005

# Date, its offset and its fraction of a second, best first: taken, digitised, changed.
_DATES: Final = (
    (0x9003, 0x9011, 0x9291),
    (0x9004, 0x9012, 0x9292),
    (0x0132, 0x9010, 0x9290),
)
_DATE = re.compile(r"(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)|(Z)")
_MOST_OFFSET_MINUTES: Final = 14 * 60  # Line Islands, UTC+14; nothing on land is further

# What Pillow raises for tags that are not what they claim to be.
BROKEN: Final = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RecursionError,
    Image.DecompressionBombError,
)


def tags_of(image: Image.Image) -> Image.Exif:
    """The main directory of `image`; an empty one where it is broken."""
    try:
        return image.getexif()
    except BROKEN:
        return Image.Exif()


def directories(main: Image.Exif) -> tuple[Tags, Tags]:
    """The EXIF and GPS directories below `main`; empty ones where they are broken."""
    return _directory(main, EXIF_IFD), _directory(main, GPS_IFD)


def is_adobe_rgb(main: Image.Exif) -> bool:
    """The interoperability rule R03: pixels in Adobe RGB (DCF 2.0), though no profile says so."""
    return _text(_directory(main, INTEROP_IFD).get(1)) == "R03"


def orientation(main: Tags) -> int:
    """1 to 8; 1 for everything else that can be found there."""
    try:
        value = main.get(ORIENTATION)
    except BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def taken_at(main: Tags, exif: Tags) -> Moment | None:
    """When the picture was taken, by the best date that is one."""
    for date, offset, fraction in _DATES:
        text = _text(exif.get(date)) or _text(main.get(date))
        moment = moment_of(text or "", _text(exif.get(offset)) or "")
        if moment is not None:
            digits = (_text(exif.get(fraction)) or "").strip()
            if digits.isascii() and digits.isdigit():
                microseconds = int(digits[:6].ljust(6, "0"))
                local = moment.local + timedelta(microseconds=microseconds)
                return Moment(local, moment.offset_minutes)
            return moment
    return None


def moment_of(date: str, offset: str = "") -> Moment | None:
    """`date` in EXIF's or ISO 8601's spelling; an offset inside it counts as well."""
    found = _DATE.match(date.strip())
    if found is None:
        return None
    try:
        local = datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - a camera's clock has no zone
    except ValueError:  # 0000:00:00, 2010:02:31
        return None
    return Moment(local, _offset_minutes(offset.strip() or date[found.end() :]))


def _offset_minutes(text: str) -> int | None:
    found = _OFFSET.search(text)
    if found is None:
        return None
    if found[4]:
        return 0
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > _MOST_OFFSET_MINUTES:
        return None
    return -minutes if found[1] == "-" else minutes


def camera(main: Tags) -> str | None:
    """Make and model, the make only once: "Canon EOS R5", "NIKON D70", "Apple iPhone 15"."""
    return _made(_text(main.get(MAKE)), _text(main.get(MODEL)))


def lens(exif: Tags) -> str | None:
    """The lens as the camera names it, with its maker's name where that is not in it."""
    return _made(_text(exif.get(LENS_MAKE)), _text(exif.get(LENS_MODEL)))


def exposure(exif: Tags) -> Exposure:
    """What is sound of aperture, time, sensitivity and focal length."""
    iso = exif.get(0x8827)
    iso = _number(iso[0] if isinstance(iso, tuple) and iso else iso)
    return Exposure(
        f_number=_positive(exif.get(0x829D)),
        exposure_seconds=_positive(exif.get(0x829A)),
        iso=int(iso) if iso is not None and 0 < iso < 1e8 else None,
        focal_length_mm=_positive(exif.get(0x920A)),
    )


def place(gps: Tags) -> Place | None:
    """The position, or None when it is missing, over zero, outside the globe or 0° 0°."""
    latitude = _degrees(gps.get(2), _text(gps.get(1)), "S")
    longitude = _degrees(gps.get(4), _text(gps.get(3)), "W")
    if latitude is None or longitude is None:
        return None
    altitude = _number(gps.get(6))
    below = gps.get(5)
    if altitude is not None and (below in (1, b"\x01")):
        altitude = -altitude
    return place_of(latitude, longitude, altitude)


def place_of(latitude: float, longitude: float, altitude: float | None) -> Place | None:
    """The place, if there is one: cameras without a fix write 0° 0°; nothing flies at 100 km."""
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or latitude == longitude == 0:
        return None
    if altitude is not None and not -12_000 < altitude < 100_000:
        altitude = None
    return Place(round(latitude, 7), round(longitude, 7), altitude)


def _degrees(value: object, reference: str | None, negative: str) -> float | None:
    """Degrees, minutes and seconds as one number; the later parts may be left out."""
    if not isinstance(value, tuple) or not 1 <= len(value) <= 3:
        return None
    parts = [_number(part) for part in value]
    if parts[0] is None:
        return None
    degrees = 0.0
    for part in reversed(parts):
        degrees = (part or 0.0) + degrees / 60  # 0/0 seconds are common, and mean none
    return -degrees if (reference or "").upper().startswith(negative) else degrees


def _directory(main: Image.Exif, number: int) -> Tags:
    try:
        return dict(main.get_ifd(number))
    except BROKEN:
        return {}


def _made(maker: str | None, model: str | None) -> str | None:
    if not maker or not model:
        return model or maker
    # NIKON CORPORATION makes the NIKON D70: the first word is the one that repeats.
    if model.lower().startswith(maker.split()[0].lower()):
        return model
    return f"{maker} {model}"


def _text(value: object) -> str | None:
    """Printable text without padding; None when nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    kept = "".join(c if c.isprintable() else " " for c in value.split("\0", 1)[0])
    return " ".join(kept.split())[:200] or None


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except BROKEN:
        return None
    return number if math.isfinite(number) else None


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 < number < 1e6 else None
