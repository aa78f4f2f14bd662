"""Pixels to encoded variants, upright and in sRGB, each made from the next larger one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from PIL import Image

from bulkup.content.picture.colour.srgb import plain, to_srgb, without_opaque_alpha
from bulkup.content.picture.decoding import Decoded, fitted
from bulkup.content.picture.quality import adapted_quality
from bulkup.content.picture.spec import Format, VariantSpec
from bulkup.content.picture.types import Variant

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SMALL_PX: Final = 512
"""Up to this size LANCZOS, whose sharpness shows in thumbnails and costs little. Above, BICUBIC:
after draft() less than 2:1 remains, where both look alike, and it takes 49 ms, not 70."""

_OPTIONS: Final[dict[Format, dict[str, Any]]] = {
    Format.JPEG: {},
    Format.WEBP: {"method": 2},  # of 0 to 6: half the time of the default 4, 2 % more bytes
    Format.AVIF: {"speed": 8},  # of 0 to 10: a preview in 0.1 s, not in a second
}


def variants_of(
    decoded: Decoded, wanted: Sequence[VariantSpec]
) -> tuple[tuple[Variant, ...], Image.Image]:
    """The variants in the order of `wanted`, and the pixels of the smallest one.

    They have none of the original's metadata.
    """
    image: Image.Image | None = None
    made: dict[VariantSpec, Variant] = {}
    for spec in sorted(wanted, key=lambda spec: -spec.size_px):
        if image is None:
            image = _first(decoded, spec.size_px)
        else:
            image = _shrunk(image, _upright_size(decoded, spec.size_px))
        shrunk = max(decoded.stored_px) / max(image.size)
        quality = adapted_quality(spec.quality, decoded.quality, shrunk=shrunk)
        made[spec] = _encoded(image, spec, quality)
    assert image is not None, "no variant is wanted"
    return tuple(made[spec] for spec in wanted), image


def _first(decoded: Decoded, size_px: int) -> Image.Image:
    """The pixels of the largest variant. Shrinking comes first: colours cost by the pixel."""
    image = _shrunk(plain(decoded.image), fitted(decoded.stored_px, size_px))
    image = without_opaque_alpha(to_srgb(image, decoded.space))
    turn = _TURNS.get(decoded.turn)
    image = image.transpose(turn) if turn is not None else image.copy()
    image.info = {}  # comments, EXIF, XMP and profiles, some of which encoders would write
    return image


def _upright_size(decoded: Decoded, size_px: int) -> tuple[int, int]:
    width, height = fitted(decoded.stored_px, size_px)
    return (height, width) if decoded.turn >= 5 else (width, height)


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size == image.size:
        return image
    small = max(size) <= _SMALL_PX
    how = Image.Resampling.LANCZOS if small else Image.Resampling.BICUBIC
    return image.resize(size, how, reducing_gap=2.0)


def _encoded(image: Image.Image, spec: VariantSpec, quality: int) -> Variant:
    kind = spec.format
    if kind is Format.JPEG and image.mode == "RGBA":
        kind = Format.WEBP
    out = io.BytesIO()
    image.save(out, kind.value.upper(), quality=quality, **_OPTIONS[kind])
    return Variant(spec.name, kind, image.width, image.height, out.getvalue())
