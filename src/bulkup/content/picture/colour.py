"""Pixels of every mode as 8-bit sRGB: L, RGB or RGBA.

Profiles are ICC.1:2022; little CMS does the arithmetic. A profile that is broken, or of another
colour space than the pixels, is ignored: the numbers are then taken for sRGB.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageCms

_SPACE_OF_MODE: Final = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
_PROFILE_LIMIT_BYTES: Final = 16 << 20  # press profiles have 2 MiB or so
_INVISIBLE: Final = 2  # of 255: a profile that moves no colour further is sRGB by another name


def plain(image: Image.Image) -> Image.Image:
    """`image` in a mode that resizing understands: L, RGB, RGBA, CMYK or LAB."""
    if image.mode in ("RGB", "CMYK", "LAB", "L", "RGBA") and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A `plain` image as L, RGB or RGBA in sRGB."""
    if profile and len(profile) <= _PROFILE_LIMIT_BYTES and image.mode in _SPACE_OF_MODE:
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        colours = image.convert("RGB") if alpha else image
        try:
            transform = _to_srgb(profile, colours.mode)
            if transform is not None:
                shown = transform.apply(colours)
                colours = shown.convert("L") if image.mode == "L" else shown
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return _unprofiled(image)
        if alpha:
            colours.putalpha(alpha)
        return _unprofiled(colours)
    return _unprofiled(image)


def without_idle_alpha(image: Image.Image) -> Image.Image:
    """`image`, without an alpha channel in which every pixel is opaque."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    return image


def _unprofiled(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        shown: Image.Image = _lab_to_srgb().apply(image)
        return shown
    return image.convert("RGB") if image.mode == "CMYK" else image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or of floats, as L.

    16 bits are shifted; wider ones and floats have no agreed white, so that their own
    lightest and darkest pixels are.
    """
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value * (1 / 256) + 0).convert("L")
    lowest, highest = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if image.mode == "I" and lowest >= 0 and highest <= 65535:
        return image.point(lambda value: value * (1 / 256) + 0).convert("L")
    scale = 255 / (highest - lowest) if highest > lowest else 0.0
    return image.convert("F").point(lambda value: value * scale - lowest * scale).convert("L")


@lru_cache(maxsize=32)  # a folder's pictures share a handful of profiles
def _to_srgb(profile: bytes, mode: str) -> Any:
    """The transform from `profile` to sRGB; None when it changes nothing that can be seen.

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
    if mode == "RGB" and _is_idle(transform):
        return None
    return transform


def _is_idle(transform: Any) -> bool:
    """Whether the transform leaves a grid of 216 colours, six levels a channel, where they are."""
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


@lru_cache(maxsize=1)
def adobe_rgb() -> bytes:
    """A profile of Adobe RGB (1998), for pictures whose EXIF names that space and that have none.

    Colorants are those of the specification (Adobe RGB (1998) Color Image Encoding, 4.3.5),
    adapted to D50; gamma is 563/256.
    """
    return matrix_profile(
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        gamma_256ths=563,
    )


def matrix_profile(
    colorants: tuple[tuple[float, float, float], ...], *, gamma_256ths: int
) -> bytes:
    """A three-component matrix profile, version 2.1: the XYZ of red, green and blue under D50."""
    d50 = (0.9642, 1.0, 0.8249)
    curve = b"curv" + struct.pack(">4xIH2x", 1, gamma_256ths)
    named = b"desc" + struct.pack(">4xI", 7) + b"matrix\0" + bytes(78)
    blocks = {b"desc": named, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz(d50)}
    for letter, colorant in zip((b"r", b"g", b"b"), colorants, strict=True):
        blocks[letter + b"XYZ"] = _xyz(colorant)
        blocks[letter + b"TRC"] = curve
    table, body = struct.pack(">I", len(blocks)), b""
    start = 128 + 4 + 12 * len(blocks)
    for name, block in blocks.items():
        table += name + struct.pack(">II", start + len(body), len(block))
        body += block + bytes(-len(block) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s28x", start + len(body), 0x02100000, b"mntr", b"RGB ",
                       b"XYZ ", b"acsp")  # fmt: skip
    head += struct.pack(">3i", *(round(v * 65536) for v in d50))
    return head.ljust(128, b"\0") + table + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(value * 65536) for value in values))
