"""A variant as an image of Pillow's, for encoders of others that take nothing else."""

from __future__ import annotations

from PIL import Image

from bulkup.content.picture.pixels import square_pixels


def square_image(body: bytes, side_px: int) -> Image.Image:
    """The centre of an encoded variant whose short side was made `side_px` long, as RGB.

    For several threads at a time. Raises PictureInvalid, or MemoryError.
    """
    pixels = square_pixels(body, short_side_px=side_px, crop_px=side_px)
    return Image.frombytes("RGB", (side_px, side_px), pixels)
