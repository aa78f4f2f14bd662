"""Colours as sRGB, however a file names their space."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from bulkup.content.picture.colour.profiles import (
    PRIMARIES,
    SRGB_CURVE,
    inverse,
    matrix_profile,
    multiplied,
    rgb_to_xyz,
    srgb_to_linear,
)
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.made import (
    colours_of,
    patches,
    png_chunk,
    saved,
    with_code_points,
    with_png_chunks,
)

TRUTH = ((200, 40, 40), (40, 180, 60), (250, 200, 0), (128, 128, 128))
P3, BT_2020 = 12, 9


def srgb_curve(light: float) -> float:
    light = min(1.0, max(0.0, light))
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def encoded(primaries: int, curve: float = SRGB_CURVE) -> Image.Image:
    """The patches in other primaries, with sRGB's curve or a gamma."""
    matrix = multiplied(inverse(rgb_to_xyz(PRIMARIES[primaries])), rgb_to_xyz(PRIMARIES[1]))
    colours = []
    for colour in TRUTH:
        light = [srgb_to_linear(value / 255) for value in colour]
        other = [sum(a * b for a, b in zip(row, light, strict=True)) for row in matrix]
        values = (srgb_curve(v) if curve == SRGB_CURVE else max(v, 0) ** (1 / curve) for v in other)
        colours.append(tuple(round(255 * min(1.0, value)) for value in values))
    return patches(*colours)  # type: ignore[arg-type]


def png(image: Image.Image, *chunks: tuple[bytes, bytes]) -> bytes:
    return with_png_chunks(saved(image, "PNG"), *(png_chunk(*chunk) for chunk in chunks))


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def primaries_chunk(number: int) -> tuple[bytes, bytes]:
    red, green, blue, white = PRIMARIES[number]
    values = [round(v * 100_000) for pair in (white, red, green, blue) for v in pair]
    return b"cHRM", struct.pack(">8I", *values)


@pytest.mark.parametrize(
    "data",
    [
        png(encoded(P3), (b"cICP", bytes((12, 13, 0, 1)))),
        png(encoded(P3), (b"cICP", bytes((12, 13, 0, 1))), (b"sRGB", b"\0")),
        png(encoded(P3), primaries_chunk(P3), gamma(1 / 2.2)),
        png(encoded(1, 1.0), gamma(1.0)),
        png(encoded(1, 1.8), gamma(1 / 1.8)),
        png(encoded(1), gamma(1.0), (b"sRGB", b"\0")),
        saved(encoded(P3), "PNG", icc_profile=matrix_profile(PRIMARIES[P3], SRGB_CURVE)),
        with_code_points(saved(encoded(P3), "HEIF", quality=95), P3, 13),
        with_code_points(saved(encoded(BT_2020), "HEIF", quality=95), BT_2020, 13),
        with_code_points(saved(encoded(P3), "AVIF", quality=95), P3, 13),
        with_code_points(saved(encoded(BT_2020), "AVIF", quality=95), BT_2020, 1),
        with_code_points(saved(encoded(1), "AVIF", quality=95), 2, 2),
        saved(encoded(1), "AVIF", quality=95),
    ],
    ids=["cICP", "cICP before sRGB", "cHRM and gAMA", "gAMA 1.0", "gAMA 1/1.8", "sRGB before gAMA",
         "ICC", "HEIC P3", "HEIC BT.2020", "AVIF P3", "AVIF BT.2020", "AVIF unspecified",
         "AVIF sRGB"],
)  # fmt: skip
def test_colours_are_those_that_were_meant(data: bytes) -> None:
    made = make_variants(data)
    assert isinstance(made, Picture)
    for found, truth in zip(colours_of(made.variants[0].body, 4), TRUTH, strict=True):
        assert all(abs(a - b) <= 4 for a, b in zip(found, truth, strict=True)), (found, truth)


def test_the_gamma_of_a_grey_png_counts() -> None:
    made = make_variants(png(Image.new("L", (64, 64), 55), gamma(1.0)))
    assert isinstance(made, Picture)
    assert colours_of(made.variants[0].body, 1)[0][0] in range(124, 133)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_png_whose_white_is_235_is_as_bright_as_others(mode: str) -> None:
    narrow = encoded(1).point([round(16 + x * 219 / 255) for x in range(256)] * 3)
    narrow = narrow.quantize(16) if mode == "P" else narrow.convert(mode)
    made = make_variants(png(narrow, (b"cICP", bytes((1, 13, 0, 0)))))
    assert isinstance(made, Picture)
    for shown, true in zip(colours_of(made.variants[0].body, 4), TRUTH, strict=True):
        assert max(abs(a - b) for a, b in zip(shown, true, strict=True)) <= 8


@pytest.mark.parametrize(
    "chunks",
    [[(b"cHRM", bytes(32))], [gamma(0)], [(b"cICP", b"\xff\xff\0\1")]],
)
def test_nonsense_about_colours_counts_as_nothing(chunks: list[tuple[bytes, bytes]]) -> None:
    made = make_variants(png(encoded(1), *chunks))
    assert isinstance(made, Picture)
    assert abs(colours_of(made.variants[0].body, 4)[3][0] - 128) <= 4
