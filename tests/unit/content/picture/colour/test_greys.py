"""Measurements as pictures: floats, 32 bits, 16 bits."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.made import opened, png_chunk, saved

WIDTH, HEIGHT = 256, 16


def ramp(first: float = 0.0, last: float = 1.0) -> np.ndarray:
    return np.tile(np.linspace(first, last, WIDTH, dtype=np.float32), (HEIGHT, 1))


def tiff(values: np.ndarray, **tags: object) -> bytes:
    return saved(Image.fromarray(values), "TIFF", **tags)


def shown(data: bytes) -> list[int]:
    """The greys of the middle row."""
    made = make_variants(data)
    assert isinstance(made, Picture)
    image = opened(made.variants[0].body).convert("L")
    return [image.getpixel((x, HEIGHT // 2)) for x in range(WIDTH)]  # type: ignore[misc]


def is_ramp(greys: list[int]) -> bool:
    return all(abs(grey - x) <= 6 for x, grey in enumerate(greys))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, -3.4e38, 3.4e38, -9999.0, 1e20], ids=str)
@pytest.mark.parametrize("where", [(0, 0), (3, 200)])
def test_odd_pixels_are_black_and_change_nothing_else(odd: float, where: tuple[int, int]) -> None:
    values = ramp()
    values[where] = odd
    assert is_ramp(shown(tiff(values)))


def test_a_large_part_without_data_changes_nothing_else() -> None:
    values = ramp()
    values[:5] = -9999
    assert is_ramp(shown(tiff(values)))


def test_a_float_ramp_of_any_range_is_a_ramp() -> None:
    assert is_ramp(shown(tiff(ramp())))
    assert is_ramp(shown(tiff(ramp(-12.5, 870))))


def test_a_flat_picture_is_black() -> None:
    image = opened(make_variants(tiff(np.full((16, 16), 3.5, np.float32))).variants[0].body)  # type: ignore[union-attr]
    assert image.convert("L").getextrema()[1] <= 2


def test_unsigned_numbers_of_32_bits_do_not_wrap() -> None:
    values = np.tile(np.linspace(0, 2**32 - 1, WIDTH).astype(np.uint32), (HEIGHT, 1))
    data = tiff(values.view(np.int32))
    signed = struct.pack("<HHIHH", 339, 3, 1, 2, 0)
    assert data.count(signed) == 1
    assert is_ramp(shown(data.replace(signed, struct.pack("<HHIHH", 339, 3, 1, 1, 0))))


def test_sixteen_bits_have_a_white_of_their_own_and_twelve_in_a_tiff_as_well() -> None:
    values = np.tile(np.linspace(0, 65535, WIDTH).astype(np.uint16), (HEIGHT, 1))
    assert is_ramp(shown(tiff(values)))
    assert is_ramp(shown(tiff(values // 16)))
    half = shown(saved(Image.fromarray(values // 2), "PNG"))
    assert abs(half[-1] - 127) <= 4


def test_the_transparent_grey_of_a_png_of_16_bits_is_transparent() -> None:
    values = np.full((16, 16), 40_000, np.uint16)
    values[:, :8] = 7
    png = saved(Image.fromarray(values), "PNG")
    made = make_variants(png[:33] + png_chunk(b"tRNS", struct.pack(">H", 7)) + png[33:])
    assert isinstance(made, Picture)
    image = Image.open(io.BytesIO(made.variants[0].body)).convert("RGBA")
    assert image.getpixel((2, 8))[3] == 0  # type: ignore[index]
    assert image.getpixel((13, 8)) == pytest.approx((156, 156, 156, 255), abs=4)
