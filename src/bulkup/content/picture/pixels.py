"""A variant's pixels as a neural network takes them: small squares of RGB.

Thread-safe, unlike the rest of this package: it uses none of Pillow's module globals. Therefore it
decodes only the three formats in which bulkup encodes variants.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import AvifImagePlugin, Image, JpegImagePlugin, WebPImagePlugin

from bulkup.errors import PictureInvalid

_FORMATS: Final = (
    JpegImagePlugin.JpegImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    AvifImagePlugin.AvifImageFile.format,
)

_MOST_PIXELS: Final = 1 << 26
"""67 megapixels, 8192 squared: no setting makes a larger variant."""

_WHITE: Final = (255, 255, 255, 255)


@dataclass(frozen=True, slots=True)
class View:
    """A square cut from a picture whose short side was made `short_side_px` long.

    `across` and `down` are its position, from 0 (left, top) to 1 (right, bottom). Without
    `short_side_px` it is the whole picture, squeezed into the square.
    """

    short_side_px: int | None
    across: float = 0.5
    down: float = 0.5


def square_pixels(body: bytes, *, short_side_px: int = 256, crop_px: int = 224) -> bytes:
    """The centre of an encoded variant, `crop_px` squared: RGB8, row by row from the top left.

    Raises PictureInvalid, or MemoryError.
    """
    return view_pixels(body, (View(short_side_px),), crop_px=crop_px)[0]


def view_pixels(body: bytes, views: Sequence[View], *, crop_px: int = 224) -> list[bytes]:
    """The views of an encoded variant, in order, from one decode; each as `square_pixels`.

    Transparency becomes white: drawings and cut-out objects are made for paper, and black lines
    would vanish on black. Raises PictureInvalid, or MemoryError.
    """
    try:
        image = _decoded(body, max(view.short_side_px or crop_px for view in views))
        return [_cut(image, view, crop_px).tobytes() for view in views]
    except (PictureInvalid, MemoryError):
        raise
    except Exception as error:  # plugins raise anything for broken files
        raise PictureInvalid(" ".join(str(error).split())[:300] or type(error).__name__) from error


def _decoded(body: bytes, short_side_px: int) -> Image.Image:
    """As RGB or RGBA, with a short side of at least `short_side_px` if the picture has it."""
    image = Image.open(io.BytesIO(body), formats=_FORMATS)
    width, height = image.size
    if width * height > _MOST_PIXELS:
        raise PictureInvalid(f"{width}x{height} pixels are more than a variant has")
    # The JPEG decoder itself scales by halves: a quarter of the time.
    scale = short_side_px / min(width, height)
    image.draft("RGB", (round(width * scale), round(height * scale)))
    if image.mode == "RGBA":
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _cut(image: Image.Image, view: View, crop_px: int) -> Image.Image:
    """The view, cut and scaled in one step."""
    width, height = image.size
    if view.short_side_px is None:
        box = (0.0, 0.0, float(width), float(height))
    else:
        side = min(width, height) * crop_px / view.short_side_px
        left, top = (width - side) * view.across, (height - side) * view.down
        box = (left, top, left + side, top + side)
    square = image.resize((crop_px, crop_px), Image.Resampling.BICUBIC, box)
    if square.mode == "RGBA":
        paper = Image.new("RGBA", square.size, _WHITE)
        square = Image.alpha_composite(paper, square).convert("RGB")
    return square
