"""EXIF (CIPA DC-008, 3.0) as values. Every tag may be missing, broken or wrong."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from PIL import Image

from bulkup.content.picture.facts.apple import read_apple_note
from bulkup.content.picture.facts.moments import moment_of
from bulkup.content.picture.facts.places import coordinate_of, place_of
from bulkup.content.picture.types import MOST_KEYWORDS, Exposure, Moment, PictureFacts, Place

Tags = Mapping[int, Any]

EXIF_IFD: Final = 0x8769
GPS_IFD: Final = 0x8825
INTEROP_IFD: Final = 0xA005
ORIENTATION: Final = 0x0112
IPTC_BLOCK: Final = 0x83BB  # TIFF tags that hold other blocks
XMP_PACKET: Final = 0x02BC
PHOTOSHOP_RESOURCES: Final = 0x8649

_MAKE, _MODEL, _LENS_MAKE, _LENS_MODEL = 0x010F, 0x0110, 0xA433, 0xA434
_DESCRIPTION: Final = 0x010E
_MAKER_NOTE: Final = 0x927C
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9E  # Windows: UTF-16, little-endian
_RATING, _RATING_PERCENT = 0x4746, 0x4749
_PERCENTS: Final = (1, 25, 50, 75, 99)  # what Windows writes for one to five stars

# A date, its offset and its fraction of a second.
_ORIGINAL: Final = (0x9003, 0x9011, 0x9291)
_DIGITISED: Final = (0x9004, 0x9012, 0x9292)
_MODIFIED: Final = (0x0132, 0x9010, 0x9290)

_GPS_TIME, _GPS_DATE = 7, 29

_NOT_DESCRIPTIONS: Final = frozenset(
    {
        "olympus digital camera",
        "sony dsc",
        "minolta digital camera",
        "konica minolta digital camera",
        "digital still camera",
        "samsung digital camera",
        "casio digital camera",
        "exif_jpeg_picture",
        "exif_jpeg_t422",
        "default",
        "dcim",
        "camera",
        "jpeg",
        "samsung",
        "dsc",
        "untitled",
    }
)
"""ImageDescriptions that cameras write into every picture, in lower case."""

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
    struct.error,
    Image.DecompressionBombError,
)


def exif_of(block: bytes) -> Image.Exif:
    """The main directory of an EXIF block, whatever precedes its TIFF header; else an empty one."""
    found = [at for mark in (b"II*\0", b"MM\0*") if (at := block.find(mark, 0, 64)) >= 0]
    tags = Image.Exif()
    if found:
        try:
            tags.load(b"Exif\0\0" + block[min(found) :])
        except BROKEN:
            return Image.Exif()
    return tags


def tags_of(image: Image.Image) -> Image.Exif:
    """The main directory of `image`; an empty one where it is broken."""
    try:
        return image.getexif()
    except BROKEN:
        return Image.Exif()


def is_adobe_rgb(main: Image.Exif) -> bool:
    """The interoperability rule R03: pixels in Adobe RGB (DCF 2.0), though no profile says so."""
    return _text(_directory(main, INTEROP_IFD).get(1)) == "R03"


def orientation(main: Tags) -> int:
    """1 to 8; 1 for everything else that may be there."""
    try:
        value = main.get(ORIENTATION)
    except BROKEN:
        return 1
    if isinstance(value, (bytes, str)):  # in a byte, or as a digit
        value = value[0] if isinstance(value, bytes) and value else _number(value)
    return int(value) if isinstance(value, (int, float)) and value in range(1, 9) else 1


def exif_facts(main: Image.Exif) -> PictureFacts:
    """What the directories say."""
    exif, gps = _directory(main, EXIF_IFD), _directory(main, GPS_IFD)
    description = _text(main.get(_DESCRIPTION), most=2000)
    if description is not None and description.lower() in _NOT_DESCRIPTIONS:
        description = None
    original, digitised = _moment(main, exif, _ORIGINAL), _moment(main, exif, _DIGITISED)
    modified = _moment(main, exif, _MODIFIED)
    if original is digitised is modified is None:
        modified = _satellites_moment(gps)
    return PictureFacts(
        taken_from="exif",
        original=original,
        digitised=digitised,
        modified=modified,
        camera=made_by(*(_text(main.get(tag)) or _text(exif.get(tag)) for tag in (_MAKE, _MODEL))),
        lens=made_by(_text(exif.get(_LENS_MAKE)), _text(exif.get(_LENS_MODEL))),
        exposure=_exposure(exif),
        place=_place(gps),
        rating=_rating(main),
        title=_windows_text(main.get(_XP_TITLE)),
        description=description or _windows_text(main.get(_XP_COMMENT)),
        keywords=_keywords(_windows_text(main.get(_XP_KEYWORDS))),
        **read_apple_note(exif.get(_MAKER_NOTE))._asdict(),
    )


def made_by(maker: str | None, model: str | None) -> str | None:
    """Make and model, the make only once: "Canon EOS R5", "NIKON D70", "Apple iPhone 15"."""
    if not maker or not model:
        return model or maker
    # NIKON CORPORATION makes the NIKON D70: the first word is the one that repeats.
    if model.lower().startswith(maker.split()[0].lower()):
        return model
    return f"{maker} {model}"


def _moment(main: Tags, exif: Tags, tags: tuple[int, int, int]) -> Moment | None:
    date, offset, fraction = tags
    text = _text(exif.get(date)) or _text(main.get(date))
    return moment_of(text, _text(exif.get(offset)), _text(exif.get(fraction)))


def _satellites_moment(gps: Tags) -> Moment | None:
    """The time of the position, in UTC: often the only date that programs leave."""
    time = gps.get(_GPS_TIME)
    parts = [_number(part) or 0.0 for part in (time if isinstance(time, tuple) else ())]
    clock = ":".join(f"{int(part):02}" for part in parts)
    return moment_of(f"{_text(gps.get(_GPS_DATE)) or ''} {clock}", "Z")


def _exposure(exif: Tags) -> Exposure:
    iso = exif.get(0x8827)
    iso = _number(iso[0] if isinstance(iso, tuple) and iso else iso)
    return Exposure(
        f_number=_positive(exif.get(0x829D)),
        exposure_seconds=_positive(exif.get(0x829A)),
        iso=int(iso) if iso is not None and 0 < iso < 1e8 else None,
        focal_length_mm=_positive(exif.get(0x920A)),
    )


def _rating(main: Tags) -> int | None:
    stars, percent = main.get(_RATING), main.get(_RATING_PERCENT)
    if isinstance(stars, int) and 1 <= stars <= 5:
        return stars
    if isinstance(percent, int) and 1 <= percent <= 100:
        return rating_of_percent(percent)
    return None


def rating_of_percent(percent: float) -> int:
    """Stars of a percentage as Windows writes it."""
    return min(range(5), key=lambda at: abs(_PERCENTS[at] - percent)) + 1


def _keywords(text: str | None) -> tuple[str, ...]:
    words = (word.strip() for word in (text or "").split(";"))
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_KEYWORDS]


def _place(gps: Tags) -> Place | None:
    latitude = _degrees(gps.get(2), _text(gps.get(1)), "NS")
    longitude = _degrees(gps.get(4), _text(gps.get(3)), "EW")
    altitude = _number(gps.get(6))
    if altitude is not None and gps.get(5) in (1, b"\x01"):
        altitude = -altitude
    return place_of(latitude, longitude, altitude)


def _degrees(value: object, reference: str | None, axis: str) -> float | None:
    """Degrees, minutes and seconds as one number; the later parts may be missing. Some programs
    write one number, or a text."""
    if isinstance(value, (str, bytes)):
        return coordinate_of(_text(value), reference, axis)
    parts = [_number(part) for part in (value if isinstance(value, tuple) else (value,))]
    if not parts or len(parts) > 3 or parts[0] is None:
        return None
    degrees = 0.0
    for part in reversed(parts):
        degrees = (part or 0.0) + degrees / 60  # 0/0 seconds are common, and mean none
    return -degrees if (reference or "").upper().startswith(axis[1]) else degrees


def _directory(main: Image.Exif, number: int) -> Tags:
    try:
        return dict(main.get_ifd(number))
    except BROKEN:
        return {}


def _text(value: object, most: int = 200) -> str | None:
    """Printable text without padding; None when nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    with suppress(UnicodeError):  # Pillow decodes ASCII as Latin 1; most programs write UTF-8
        value = value.encode("latin-1").decode()
    return _printable(value, most)


def _windows_text(value: object) -> str | None:
    if isinstance(value, tuple) and all(isinstance(v, int) and 0 <= v <= 255 for v in value):
        value = bytes(value)
    if not isinstance(value, bytes):
        return None
    return _printable(value.decode("utf-16-le", "replace"), 2000)


def _printable(text: str, most: int) -> str | None:
    kept = "".join(c if c.isprintable() else " " for c in text.split("\0", 1)[0])
    return " ".join(kept.split())[:most] or None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except BROKEN:
        return None
    return number if math.isfinite(number) else None


def _positive(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 < number < 1e6 else None
