"""Squares cut from variants."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from bulkup.content.picture.pixels import View, square_pixels, view_pixels
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import mean_error, opened, saved, scene


def shown(pixels: bytes, px: int = 224) -> Image.Image:
    assert len(pixels) == px * px * 3
    return Image.frombytes("RGB", (px, px), pixels)


def centre(image: Image.Image) -> Image.Image:
    """The plain way: all of it resized, then cut."""
    scale = 256 / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    left, top = (large.width - 224) // 2, (large.height - 224) // 2
    return large.crop((left, top, left + 224, top + 224))


@pytest.mark.parametrize("size", [(1440, 960), (960, 1440), (1440, 300), (256, 171), (20, 30)])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_it_is_the_centre_of_the_picture_made_small(size, kind) -> None:
    body = saved(scene(*size), kind)
    assert mean_error(shown(square_pixels(body)), centre(opened(body))) < 2


def test_sizes_are_those_that_were_asked_for() -> None:
    assert len(square_pixels(saved(scene()), short_side_px=64, crop_px=48)) == 48 * 48 * 3


def test_a_picture_of_one_pixel_fills_the_square() -> None:
    image = Image.new("RGB", (1, 1), (200, 100, 50))
    square = shown(square_pixels(saved(image, "WEBP", lossless=True)))
    assert square.getextrema() == ((200, 200), (100, 100), (50, 50))


def test_what_is_transparent_is_white_whatever_colour_it_hides() -> None:
    image = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (150, 0, 300, 300))
    square = shown(square_pixels(saved(image, "WEBP", lossless=True)))
    assert square.getpixel((20, 112)) == (255, 255, 255)
    assert square.getpixel((200, 112)) == (0, 0, 255)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_modes_become_rgb(mode) -> None:
    image = scene().convert(mode)
    assert mean_error(shown(square_pixels(saved(image))), centre(image)) < 4


def test_corners_lie_in_the_corners() -> None:
    """`scene` has a block of another colour in each but the last."""
    views = [View(384, across, down) for down in (0, 1) for across in (0, 1)]
    squares = view_pixels(saved(scene(1200, 800)), views, crop_px=96)
    colours = [shown(square, 96).resize((1, 1), Image.Resampling.BOX) for square in squares]
    red, green, blue, none = [colour.getpixel((0, 0)) for colour in colours]
    assert max(range(3), key=lambda i: red[i]) == 0
    assert max(range(3), key=lambda i: green[i]) == 1
    assert max(range(3), key=lambda i: blue[i]) == 2
    assert none not in (red, green, blue)


def test_the_whole_picture_is_squeezed_into_the_square() -> None:
    image = scene(1200, 800)
    (square,) = view_pixels(saved(image), [View(None)])
    assert mean_error(shown(square), image) < 3


def test_views_out_of_one_decode_are_those_out_of_their_own() -> None:
    """As far as the scale at which the JPEG was decoded lets them."""
    body = saved(scene(1440, 960))
    views = (View(384, 0, 1), View(256), View(None))
    together = view_pixels(body, views)
    for view, square in zip(views, together, strict=True):
        assert mean_error(shown(square), shown(view_pixels(body, [view])[0])) < 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no picture",
        saved(scene())[:3000],
        saved(scene(), "WEBP")[:-100],
        saved(scene(), "PNG"),
    ],
    ids=["empty", "text", "short JPEG", "short WebP", "no format of variants"],
)
def test_what_does_not_decode_is_invalid_with_a_reason(body) -> None:
    with pytest.raises(PictureInvalid, match=r"\w"):
        square_pixels(body)


@pytest.mark.parametrize("size", [(9000, 9000), (16383, 16383)])
def test_what_claims_too_many_pixels_is_refused_before_it_is_decoded(size) -> None:
    body = bytearray(saved(Image.new("L", (8, 8))))
    at = body.index(b"\xff\xc0") + 5
    body[at : at + 4] = size[1].to_bytes(2, "big") + size[0].to_bytes(2, "big")
    with pytest.raises(PictureInvalid, match="pixels"):
        square_pixels(bytes(body))


def test_numpy_is_not_needed() -> None:
    code = "import sys, bulkup.content.picture.pixels; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
