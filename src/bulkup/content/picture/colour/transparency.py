"""PNGs whose one transparent colour Pillow does not find (PNG specification, 11.3.1).

`tRNS` names it in the file's own bits. Pillow keeps that number, and makes 8 bits of the pixels.
"""

from __future__ import annotations

from PIL import Image

_HIGHEST = {"L;2": 3, "L;4": 15}
_SIXTEEN_BITS = "RGB;16B"


def scale_transparent_colour(image: Image.Image) -> None:
    """Give the colour of a PNG that is not loaded yet the bits of the pixels-to-be.

    Of 16 bits, pixels keep the higher 8; colours that differ in the others only become one.
    """
    colour = image.info.get("transparency")
    tiles = getattr(image, "tile", ())
    raw_mode = tiles[0].args if tiles else None
    if isinstance(colour, int) and raw_mode in _HIGHEST:
        image.info["transparency"] = min(255, colour * 255 // _HIGHEST[raw_mode])
    elif isinstance(colour, tuple) and raw_mode == _SIXTEEN_BITS:
        image.info["transparency"] = tuple(part >> 8 for part in colour)
