"""The variants that are wanted of a picture, and its limits. Light to import."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Format(StrEnum):
    """The encoding of a variant. A JPEG variant with transparency becomes WebP."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"

    @property
    def content_type(self) -> str:
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        return "jpg" if self is Format.JPEG else self.value


class VariantSpec(NamedTuple):
    """A wanted variant: it fits a square of `size_px`, and is never enlarged."""

    name: str
    size_px: int
    format: Format
    quality: int  # 1 to 100, as the encoder understands it


THUMB: Final = VariantSpec("thumb", 256, Format.WEBP, 80)
PREVIEW: Final = VariantSpec("preview", 1440, Format.JPEG, 80)
VARIANTS: Final = (THUMB, PREVIEW)


class PictureLimits(NamedTuple):
    """The limits of a picture. Its declared size counts, before anything is decoded."""

    pixels: int = 200_000_000
    file_bytes: int = 500 << 20  # of a member of an archive, too


LIMITS: Final = PictureLimits()
