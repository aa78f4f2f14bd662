"""Pixels of every mode as 8-bit sRGB: L, RGB or RGBA.

Little CMS applies profiles (ICC.1:2022). A profile that is broken, or made for another colour
space than the pixels', is ignored: the numbers are then taken for sRGB.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageCms

from bulkup.content.picture.colour.declared import ColourSpace
from bulkup.content.picture.colour.greys import eight_bits
from bulkup.content.picture.colour.tone_mapping import to_sdr

_SPACE_OF_MODE: Final = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
_PREMULTIPLIED: Final = {"La": "LA", "RGBa": "RGBA"}
_PROFILE_LIMIT_BYTES: Final = 16 << 20  # press profiles have 2 MiB or so
_INVISIBLE: Final = 2  # of 255: a profile that changes colours by no more is sRGB in effect


def plain(image: Image.Image) -> Image.Image:
    """`image` in a mode that can be resized: L, RGB, RGBA, CMYK or LAB."""
    if image.mode in ("RGB", "CMYK", "LAB", "L", "RGBA") and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return eight_bits(image)
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, space: ColourSpace) -> Image.Image:
    """A `plain` image as L, RGB or RGBA in sRGB."""
    if space.hdr is not None and image.mode in ("RGB", "RGBA", "L"):
        return to_sdr(image, space.hdr, space.primaries)
    profile = space.profile
    if not profile or len(profile) > _PROFILE_LIMIT_BYTES or image.mode not in _SPACE_OF_MODE:
        return _unprofiled(image)
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        shown = _converted(image.convert("RGB") if alpha else image, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return _unprofiled(image)
    if alpha:
        shown.putalpha(alpha)
    return _unprofiled(shown)


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    source = image
    if image.mode == "L" and profile[16:20] == b"RGB ":  # a grey picture among coloured ones
        source = image.convert("RGB")
    transform = _to_srgb(profile, source.mode)
    if transform is None:
        return image
    shown: Image.Image = transform.apply(source)
    return shown.convert("L") if image.mode == "L" else shown


def without_opaque_alpha(image: Image.Image) -> Image.Image:
    """`image` without its alpha channel, if every pixel is opaque."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    return image


def _unprofiled(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        shown: Image.Image = _lab_to_srgb().apply(image)
        return shown
    return image.convert("RGB") if image.mode == "CMYK" else image


@lru_cache(maxsize=32)  # the pictures of a folder share a few profiles
def _to_srgb(profile: bytes, mode: str) -> Any:
    """The transform from `profile` to sRGB; None when it makes no visible change.

    Raises ImageCms.PyCMSError, OSError or ValueError for a profile that cannot be used.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space.strip() != _SPACE_OF_MODE[mode]:
        return None
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    if mode == "RGB" and _is_identity(transform):
        return None
    return transform


def _is_identity(transform: Any) -> bool:
    """Whether the transform keeps a grid of 216 colours, six levels per channel."""
    steps = range(0, 256, 51)
    grid = bytes(v for r in steps for g in steps for b in steps for v in (r, g, b))
    before = Image.frombytes("RGB", (6, 36), grid)
    after: bytes = transform.apply(before).tobytes()
    return max(abs(a - b) for a, b in zip(grid, after, strict=True)) <= _INVISIBLE


@lru_cache(maxsize=1)
def _lab_to_srgb() -> Any:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
