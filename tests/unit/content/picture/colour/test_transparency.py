"""PNGs with one transparent colour."""

from __future__ import annotations

import struct
import zlib

import pytest

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.made import opened, png_chunk

GREY, COLOURS = 0, 2  # colour types (PNG specification, table 11.1)


def halves(bits: int, kind: int, left: tuple[int, ...], right: tuple[int, ...]) -> bytes:
    """16 x 16 pixels of two colours; the right one is declared transparent."""
    digits = "".join(f"{value:0{bits}b}" for value in left * 8 + right * 8)
    row = b"\0" + int(digits, 2).to_bytes(len(digits) // 8)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, bits, kind, 0, 0, 0)),
            png_chunk(b"tRNS", struct.pack(f">{len(right)}H", *right)),
            png_chunk(b"IDAT", zlib.compress(row * 16)),
            png_chunk(b"IEND", b""),
        )
    )


@pytest.mark.parametrize(
    ("bits", "kind", "left", "right"),
    [
        (1, GREY, (0,), (1,)),
        (2, GREY, (1,), (3,)),
        (2, GREY, (3,), (1,)),
        (4, GREY, (5,), (15,)),
        (4, GREY, (15,), (5,)),
        (8, GREY, (80,), (200,)),
        (16, GREY, (20_000,), (51_403,)),
        (8, COLOURS, (200, 40, 40), (40, 180, 60)),
        (16, COLOURS, (51_400, 10_280, 10_280), (10_285, 46_260, 15_420)),
        (16, COLOURS, (51_400, 10_280, 10_280), (65_535, 65_535, 65_535)),
    ],
)
def test_one_transparent_colour_is_transparent_at_every_depth(bits, kind, left, right) -> None:
    made = make_variants(halves(bits, kind, left, right))
    assert isinstance(made, Picture)
    for variant in made.variants:
        shown = opened(variant.body)
        assert shown.mode == "RGBA"
        assert shown.getpixel((3, 8))[3] == 255  # type: ignore[index]  # a pixel of RGBA
        assert shown.getpixel((12, 8))[3] == 0  # type: ignore[index]
