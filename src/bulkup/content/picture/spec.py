"""The variants that are wanted of a picture, and its limits. Light to import."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from bulkup.errors import PictureInvalid


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


_SPEC: Final = re.compile(r"([a-z][a-z0-9_-]{0,31}):(\d{1,5}):([a-z]+):(\d{1,3})")


class VariantSpec(NamedTuple):
    """A wanted variant: it fits a square of `size_px`, and is never enlarged."""

    name: str
    size_px: int
    format: Format
    quality: int  # 1 to 100, as the encoder understands it

    @classmethod
    def parse(cls, text: str) -> VariantSpec:
        """`thumb:256:webp:80`: its fields. Raises ValueError."""
        match = _SPEC.fullmatch(text)
        if match is None:
            raise ValueError(text)
        spec = cls(match[1], int(match[2]), Format(match[3]), int(match[4]))
        if not 16 <= spec.size_px <= 16_384 or not 1 <= spec.quality <= 100:
            raise ValueError(text)
        return spec


THUMB: Final = VariantSpec("thumb", 256, Format.WEBP, 80)
PREVIEW: Final = VariantSpec("preview", 1440, Format.JPEG, 80)
VARIANTS: Final = (THUMB, PREVIEW)


class PictureLimits(NamedTuple):
    """The limits of a picture. Its declared size counts, before anything is decoded."""

    pixels: int = 200_000_000
    file_bytes: int = 500 << 20  # of a member of an archive, too

    def check(self, size: tuple[int, int]) -> None:
        """Raise PictureInvalid when the size has more pixels than are allowed, or none."""
        width, height = size
        if width < 1 or height < 1:
            raise PictureInvalid(f"a picture of {width}x{height} pixels")
        if width * height > self.pixels:
            raise PictureInvalid(
                f"{width}x{height} pixels are {width * height / 1e6:.0f} megapixels;"
                f" {self.pixels / 1e6:.0f} are allowed"
            )


LIMITS: Final = PictureLimits()
