"""Pictures of a high dynamic range beside the same ones in sRGB."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from bulkup.content.picture.colour.declared import HLG, PQ
from bulkup.content.picture.colour.profiles import (
    PRIMARIES,
    inverse,
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

TRUTH = (
    (200, 40, 40),
    (40, 180, 60),
    (40, 80, 200),
    (250, 200, 0),
    (128, 128, 128),
    (255, 255, 255),
)
BT_2020 = 9
TO_BT_2020 = multiplied(inverse(rgb_to_xyz(PRIMARIES[BT_2020])), rgb_to_xyz(PRIMARIES[1]))


def pq(light: float) -> float:
    """SMPTE ST 2084: of light relative to 203 cd/m2."""
    power = (max(light, 0.0) * 203 / 10_000) ** (2610 / 16384)
    value = (3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)
    return float(value ** (2523 / 32))


def hlg(light: float) -> float:
    """BT.2100: with white at 75 % of the signal."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = max(light, 0.0) * (math.exp((0.75 - c) / a) + b) / 12
    return math.sqrt(3 * scene) if scene <= 1 / 12 else a * math.log(12 * scene - b) + c


def hdr(transfer: int, *, times: float = 1.0) -> Image.Image:
    """The patches in BT.2020; the last one so many times as bright as white."""
    curve = pq if transfer == PQ else hlg
    colours = []
    for number, colour in enumerate(TRUTH):
        factor = times if number == len(TRUTH) - 1 else 1.0
        light = [factor * srgb_to_linear(value / 255) for value in colour]
        other = [sum(a * b for a, b in zip(row, light, strict=True)) for row in TO_BT_2020]
        colours.append(tuple(round(255 * min(1.0, curve(value))) for value in other))
    return patches(*colours)  # type: ignore[arg-type]


def lab(colour: tuple[int, ...]) -> list[float]:
    """CIE L*a*b* of sRGB under D65."""
    light = [srgb_to_linear(value / 255) for value in colour]
    xyz = [sum(a * b for a, b in zip(row, light, strict=True)) for row in rgb_to_xyz(PRIMARIES[1])]
    f = [
        (v / w) ** (1 / 3) if v / w > 216 / 24389 else (24389 / 27 * v / w + 16) / 116
        for v, w in zip(xyz, (0.9505, 1.0, 1.0891), strict=True)
    ]
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]


def shown(data: bytes) -> list[tuple[int, ...]]:
    made = make_variants(data)
    assert isinstance(made, Picture)
    return colours_of(made.variants[1].body, len(TRUTH))


def check_near(found: list[tuple[int, ...]], most: float = 4) -> None:
    for one, truth in zip(found, TRUTH, strict=True):
        assert math.dist(lab(one), lab(truth)) <= most, (one, truth)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("format", ["HEIF", "AVIF", "PNG"])
def test_light_up_to_white_is_that_of_srgb(transfer: int, format: str) -> None:  # noqa: A002 - Pillow's word
    image = hdr(transfer)
    if format == "PNG":
        chunk = png_chunk(b"cICP", bytes((BT_2020, transfer, 0, 1)))
        check_near(shown(with_png_chunks(saved(image, "PNG"), chunk)))
    else:
        data = exact_avif(image) if format == "AVIF" else saved(image, format, quality=100)
        check_near(shown(with_code_points(data, BT_2020, transfer)))


def exact_avif(image: Image.Image) -> bytes:
    """An AVIF that decodes to the pixels of `image`, within one step.

    Pillow's encoder rounds chroma down, by up to two steps of red and blue, which are much in the
    darks of PQ. So the input is corrected by what came out.
    """
    truth = np.asarray(image, np.int16)
    corrected = truth
    for _ in range(4):
        data = saved(
            Image.fromarray(corrected.clip(0, 255).astype(np.uint8)),
            "AVIF",
            quality=100,
            subsampling="4:4:4",
        )
        with Image.open(io.BytesIO(data)) as decoded:
            error = truth - np.asarray(decoded.convert("RGB"), np.int16)
        if abs(error).max() <= 1:
            break
        corrected = corrected + error
    return data


def test_highlights_roll_off_and_leave_the_rest_alone() -> None:
    chunk = png_chunk(b"cICP", bytes((BT_2020, PQ, 0, 1)))
    *others, highlight = shown(with_png_chunks(saved(hdr(PQ, times=5), "PNG"), chunk))
    check_near([*others, TRUTH[-1]])
    assert min(highlight) >= 253


def test_transparency_is_kept() -> None:
    image = hdr(PQ)
    image.putalpha(128)
    chunk = png_chunk(b"cICP", bytes((BT_2020, PQ, 0, 1)))
    made = make_variants(with_png_chunks(saved(image, "PNG"), chunk))
    assert isinstance(made, Picture)
    assert made.variants[1].format.value == "webp"
