"""A variant as a Pillow image, for embedders that take nothing else."""

from __future__ import annotations

from PIL import Image

from bulkup.content.picture.pixels import square_pixels


def square_image(body: bytes, side_px: int) -> Image.Image:
    """The centre of an encoded variant whose short side is scaled to `side_px`, as RGB.

    Thread-safe. Raises PictureInvalid, or MemoryError.
    """
    pixels = square_pixels(body, short_side_px=side_px, crop_px=side_px)
    return Image.frombytes("RGB", (side_px, side_px), pixels)
