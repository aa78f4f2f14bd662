"""The results of processing a picture. Needs no Pillow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Final

from bulkup.content.picture.spec import Format


@dataclass(frozen=True, slots=True)
class Variant:
    """An encoded variant: upright, in sRGB, without metadata."""

    name: str
    format: Format  # WebP where JPEG was wanted and there is alpha
    width_px: int
    height_px: int
    body: bytes

    @property
    def content_type(self) -> str:
        return self.format.content_type


class Precision(IntEnum):
    """How exact a moment is; its finer parts are at their first value."""

    YEAR = 0
    MONTH = 1
    DAY = 2
    MINUTE = 3
    SECOND = 4


@dataclass(frozen=True, slots=True)
class Moment:
    """When a picture was taken, by its camera's clock.

    `local` is what the clock showed, without a zone. `offset_minutes` is the clock's distance east
    of UTC where the picture has it (EXIF 2.31 OffsetTimeOriginal, XMP), else None.
    """

    local: datetime
    offset_minutes: int | None = None
    precision: Precision = Precision.SECOND

    @property
    def utc(self) -> datetime | None:
        """The same moment, aware, in UTC; None when the offset is unknown."""
        if self.offset_minutes is None:
            return None
        try:
            zone = timezone(timedelta(minutes=self.offset_minutes))
            return self.local.replace(tzinfo=zone).astimezone(UTC)
        except OverflowError:  # the first or last day of datetime
            return None

    def __str__(self) -> str:
        """ISO 8601, with the offset where it is known. As text it sorts by local time.

        What is known only to the day, month or year ends there: `1988-12-01`, `1988-12`, `1988`.
        """
        text = self.local.isoformat()
        if self.precision <= Precision.DAY:
            return text[: len("YYYY-MM-DD") - 3 * (Precision.DAY - self.precision)]
        if self.offset_minutes is None:
            return text
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"{text}{'-' if self.offset_minutes < 0 else '+'}{hours:02}:{minutes:02}"


@dataclass(frozen=True, slots=True)
class Place:
    """A position on WGS 84: degrees north and east, metres above the sea."""

    latitude_degrees: float
    longitude_degrees: float
    altitude_metres: float | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """Aperture, time, sensitivity and focal length, as far as they are known."""

    f_number: float | None = None
    exposure_seconds: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None


MOST_KEYWORDS: Final = 500


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture, one of its metadata blocks or a sidecar says; None or () where it is silent.

    `original` is when the picture was taken, `digitised` when it was stored or scanned, `modified`
    when it was changed.
    """

    original: Moment | None = None
    digitised: Moment | None = None
    modified: Moment | None = None
    camera: str | None = None
    lens: str | None = None
    exposure: Exposure = Exposure()
    place: Place | None = None
    rating: int | None = None  # -1 (rejected) to 5
    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # keywords with those above them: 'Places', 'Places/Rome'
    live_id: str | None = None  # of a Live Photo: the same in the picture and in its video
    burst_id: str | None = None  # the same in all pictures of a burst
    motion_bytes: int | None = None  # of the video at the end of a motion photo's file
    taken_from: str | None = field(default=None, compare=False)  # what says `taken_at`: exif, xmp…

    @property
    def taken_at(self) -> Moment | None:
        """The best of the three dates."""
        return self.original or self.digitised or self.modified


@dataclass(frozen=True, slots=True)
class Metadata:
    """A picture's size, format and facts.

    `width_px` and `height_px` are those of the original as it is displayed, after `orientation`
    (EXIF, 1 to 8) is applied. `perceptual_hash` is 64 bits, 16 hex characters; near pictures
    differ in few bits. `is_truncated`: the data ended early, and what is missing is grey or black.
    """

    width_px: int
    height_px: int
    format: str  # "JPEG", "HEIF", "NEF", "MP4", …
    orientation: int = 1
    facts: PictureFacts = PictureFacts()
    perceptual_hash: str | None = None
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A processed picture: its variants in the requested order, and its metadata."""

    variants: tuple[Variant, ...]
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Skipped:
    """The stage does not apply to the content; `reason` is for people."""

    reason: str
