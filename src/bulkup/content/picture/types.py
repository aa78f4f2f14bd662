"""What comes out of the decoding of a picture. Needs no Pillow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from bulkup.content.picture.spec import Format


@dataclass(frozen=True, slots=True)
class Variant:
    """Encoded pixels that fit what was wanted, upright, in sRGB, with no metadata in them."""

    name: str
    format: Format  # WebP where JPEG was wanted and there is alpha
    width_px: int
    height_px: int
    body: bytes

    @property
    def content_type(self) -> str:
        return self.format.content_type


@dataclass(frozen=True, slots=True)
class Moment:
    """When a picture was taken, by its camera's clock.

    `local` has no zone: it is what the clock showed. `offset_minutes` is that clock's distance
    east of UTC where the picture tells it (EXIF 2.31 OffsetTimeOriginal, XMP), else None.
    """

    local: datetime
    offset_minutes: int | None = None

    @property
    def utc(self) -> datetime | None:
        """The same moment, aware, in UTC; None where the offset is not known."""
        if self.offset_minutes is None:
            return None
        try:
            zone = timezone(timedelta(minutes=self.offset_minutes))
            return self.local.replace(tzinfo=zone).astimezone(UTC)
        except OverflowError:  # the first or last day that datetime knows
            return None

    def __str__(self) -> str:
        """ISO 8601, with the offset only where it is known; sorts by local time as text."""
        text = self.local.isoformat()
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
    """How a picture was exposed, as far as it says so."""

    f_number: float | None = None
    exposure_seconds: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a picture says of itself.

    `width_px` and `height_px` are those of the original as it is displayed, after `orientation`
    (EXIF, 1 to 8) is applied. `perceptual_hash` is 64 bits, 16 hex characters; near pictures
    differ in few bits. `is_truncated`: the data ended early, and what is missing is grey or black.
    """

    width_px: int
    height_px: int
    format: str  # "JPEG", "HEIF", "NEF", "MP4", …
    orientation: int = 1
    taken_at: Moment | None = None
    camera: str | None = None
    lens: str | None = None
    exposure: Exposure = Exposure()
    place: Place | None = None
    perceptual_hash: str | None = None
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What an XMP packet says, in a sidecar or inside a picture; None or () where it is silent."""

    taken_at: Moment | None = None
    place: Place | None = None
    rating: int | None = None  # -1 (rejected) to 5
    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was processed: the variants in the order they were wanted."""

    variants: tuple[Variant, ...]
    metadata: Metadata
    sidecar: Sidecar | None = None  # what an XMP file beside the picture says


@dataclass(frozen=True, slots=True)
class Skipped:
    """This stage does not apply to the content; `reason` is for people."""

    reason: str


def with_sidecar(metadata: Metadata, sidecar: Sidecar) -> Metadata:
    """`metadata` with what the sidecar adds: a person's corrections win over the camera."""
    return replace(
        metadata,
        taken_at=sidecar.taken_at or metadata.taken_at,
        place=sidecar.place or metadata.place,
    )
