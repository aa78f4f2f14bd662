"""Pictures made for tests: what is in them is known to the pixel."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw

from bulkup.content.picture.colour import matrix_profile

DISPLAY_P3 = matrix_profile(
    ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
    gamma_256ths=563,
)
"""The primaries of Display P3 (SMPTE EG 432-1, D65) with a plain gamma, which is enough here."""


def scene(width: int = 640, height: int = 400) -> Image.Image:
    """A picture without symmetry: a gradient, and a coloured block in each corner but one."""
    image = Image.merge(
        "RGB",
        [
            Image.linear_gradient("L").resize((width, height)),
            Image.linear_gradient("L").rotate(90).resize((width, height)),
            Image.new("L", (width, height), 90),
        ],
    )
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 4, height // 4), fill=(230, 30, 30))
    draw.rectangle((width * 3 // 4, 0, width, height // 4), fill=(30, 200, 30))
    draw.rectangle((0, height * 3 // 4, width // 4, height), fill=(30, 30, 220))
    return image


def saved(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:  # noqa: A002 - Pillow's word
    out = io.BytesIO()
    if format == "JPEG":
        options = {"quality": 92, "subsampling": 0, **options}
    image.save(out, format, **options)
    return out.getvalue()


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def mean_error(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures' pixels, 0 to 255, after both were made 64 px small."""
    small = [image.convert("RGB").resize((64, 64)).tobytes() for image in (one, other)]
    return sum(abs(a - b) for a, b in zip(*small, strict=True)) / len(small[0])
