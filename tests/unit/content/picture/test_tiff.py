"""TIFFs of several wide samples per pixel."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import PictureLimits
from bulkup.content.picture.types import Picture
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import colours_of

WIDTH, HEIGHT = 96, 32


def tiff(pixels: np.ndarray, kind: int, *, deflated: bool = False, order: str = "<") -> bytes:
    """A TIFF of one strip, of shape (height, width, 3)."""
    height, width, samples = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    if deflated:
        data = zlib.compress(data)
    bits = pixels.dtype.itemsize * 8
    triples = 8 + 2 + 12 * 10 + 4
    start = triples + 12
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, triples),
        (259, 3, 1, 8 if deflated else 1), (262, 3, 1, 2), (273, 4, 1, start),
        (277, 3, 1, samples), (278, 4, 1, height), (279, 4, 1, len(data)),
        (339, 3, 3, triples + 6),
    ]  # fmt: skip
    body = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    body += struct.pack(order + "H", len(fields))
    for tag, type_, count, value in fields:
        short = type_ == 3 and count == 1
        packed = struct.pack(order + ("HH" if short else "I"), *((value, 0) if short else (value,)))
        body += struct.pack(order + "HHI", tag, type_, count) + packed
    return body + bytes(4) + struct.pack(order + "6H", *[bits] * 3, *[kind] * 3) + data


def thirds() -> np.ndarray:
    """Red, green and blue side by side, from 0 to 1; a light ramp below keeps outliers honest."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for channel in range(3):
        pixels[:, channel * 32 : (channel + 1) * 32, channel] = 1.0
    pixels[-4:] = np.linspace(0, 1, WIDTH)[None, :, None]
    return pixels


RED_GREEN_BLUE = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def shown(data: bytes) -> list[tuple[int, ...]]:
    made = make_variants(data)
    assert isinstance(made, Picture)
    assert (made.metadata.width_px, made.metadata.height_px) == (WIDTH, HEIGHT)
    return colours_of(made.variants[1].body, 3)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_are_colours(deflated: bool, order: str) -> None:
    for found, truth in zip(
        shown(tiff(thirds(), 3, deflated=deflated, order=order)), RED_GREEN_BLUE, strict=True
    ):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))


def test_odd_pixels_are_black_and_change_nothing_else() -> None:
    pixels = thirds()
    pixels[0, 0] = np.nan
    pixels[1, 1] = np.inf
    pixels[2, 2] = -3.4e38
    for found, truth in zip(shown(tiff(pixels, 3)), RED_GREEN_BLUE, strict=True):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))


def test_unsigned_numbers_of_32_bits_are_colours() -> None:
    pixels = (thirds().astype(np.float64) * (2**32 - 1)).astype(np.uint32)
    for found, truth in zip(shown(tiff(pixels, 1)), RED_GREEN_BLUE, strict=True):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))


def test_limits_hold_and_short_data_are_refused() -> None:
    data = tiff(thirds(), 3)
    with pytest.raises(PictureInvalid, match="megapixels"):
        make_variants(data, limits=PictureLimits(pixels=1000))
    with pytest.raises(PictureInvalid):
        make_variants(data[:-5000])
    bomb = tiff(thirds(), 3, deflated=True).replace(
        struct.pack("<HHII", 257, 4, 1, HEIGHT), struct.pack("<HHII", 257, 4, 1, 4)
    )
    assert isinstance(make_variants(bomb), Picture)
