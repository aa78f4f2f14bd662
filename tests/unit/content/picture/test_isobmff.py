"""HEIF and AVIF: crops, turns and brands that decoders leave to their callers."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from bulkup.content.picture.colour.profiles import PRIMARIES, SRGB_CURVE, matrix_profile
from bulkup.content.picture.isobmff import PrimaryItem, primary_item
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture
from tests.unit.content.picture.made import (
    clap,
    colours_of,
    mean_error,
    opened,
    patches,
    saved,
    with_property,
)

RED_AND_BLUE = patches((200, 30, 30), (30, 30, 200))  # 128 by 64


def picture(data: bytes) -> Picture:
    made = make_variants(data)
    assert isinstance(made, Picture)
    return made


def test_what_was_cropped_away_is_not_shown() -> None:
    whole = saved(RED_AND_BLUE, "AVIF", quality=95)
    made = picture(with_property(whole, clap(64, 64, across=-64, down=0)))
    assert (made.metadata.width_px, made.metadata.height_px) == (64, 64)
    assert all(red > 180 and blue < 60 for red, _, blue in colours_of(made.variants[0].body, 4))


@pytest.mark.parametrize("box", [clap(500, 64, 0, 0), clap(64, 64, 1000, 0), clap(128, 64, 0, 0)])
def test_a_crop_that_is_none_changes_nothing(box: bytes) -> None:
    made = picture(with_property(saved(RED_AND_BLUE, "AVIF"), box))
    assert (made.metadata.width_px, made.metadata.height_px) == (128, 64)


def heic(*, exif_only: bool, miaf: bool) -> bytes:
    """A HEIC that is to be turned by 90 degrees, by EXIF with or without `irot`."""
    exif = Image.Exif()
    exif[0x0112] = 1 if exif_only else 6
    data = saved(RED_AND_BLUE, "HEIF", exif=exif.tobytes())
    if exif_only:
        tag = struct.pack(">HHIH", 0x0112, 3, 1, 1)
        assert data.count(tag) == 1
        data = data.replace(tag, struct.pack(">HHIH", 0x0112, 3, 1, 6))
    return data if miaf else data.replace(b"miaf", b"heix", 1)


@pytest.mark.parametrize(
    ("exif_only", "miaf", "orientation", "size"),
    [(True, False, 6, (64, 128)), (True, True, 1, (128, 64)), (False, True, 6, (64, 128)),
     (False, False, 6, (64, 128))],
)  # fmt: skip
def test_a_heic_is_turned_once_and_its_row_agrees(
    exif_only: bool, miaf: bool, orientation: int, size: tuple[int, int]
) -> None:
    found = picture(heic(exif_only=exif_only, miaf=miaf))
    assert found.metadata.orientation == orientation
    assert (found.metadata.width_px, found.metadata.height_px) == size
    assert (found.variants[0].width_px, found.variants[0].height_px) == size


def box(kind: bytes, value: int) -> bytes:
    return struct.pack(">I4sB", 9, kind, value)


# irot's quarter turns are counter-clockwise; then imir turns upside down (0) or left to right (1).
@pytest.mark.parametrize(
    ("quarters", "axis", "orientation"),
    [(1, None, 8), (2, None, 3), (3, None, 6), (0, 0, 4), (0, 1, 2), (1, 0, 5), (1, 1, 7),
     (2, 0, 2), (2, 1, 4), (3, 0, 7), (3, 1, 5)],
)  # fmt: skip
@pytest.mark.parametrize("format_", ["AVIF", "HEIF"])
def test_turns_and_mirrors_of_boxes_are_those_of_the_row(
    format_: str, quarters: int, axis: int | None, orientation: int
) -> None:
    four = Image.new("RGB", (128, 64))
    colours = ((220, 30, 30), (30, 200, 30), (30, 30, 220), (230, 230, 30))
    for at, colour in enumerate(colours):
        four.paste(colour, (at % 2 * 64, at // 2 * 32, at % 2 * 64 + 64, at // 2 * 32 + 32))
    data = saved(four, format_, quality=95)
    if quarters:
        data = with_property(data, box(b"irot", quarters))
    if axis is not None:
        data = with_property(data, box(b"imir", axis))
    made = picture(data)
    assert made.metadata.orientation == orientation
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = picture(saved(four, "PNG", exif=exif.tobytes()))
    assert mean_error(*(opened(one.variants[1].body) for one in (made, upright))) < 8
    size = (made.metadata.width_px, made.metadata.height_px)
    assert size == (upright.metadata.width_px, upright.metadata.height_px)


def test_the_profile_of_a_jpeg_2000_counts() -> None:
    stored = Image.new("RGB", (64, 64), (184, 55, 49))  # sRGB's 200, 40, 40 in Display P3
    data = saved(stored, "JPEG2000")
    profile = matrix_profile(PRIMARIES[12], SRGB_CURVE)
    head, colr = data.index(b"jp2h") - 4, data.index(b"colr") - 4
    (head_bytes,) = struct.unpack_from(">I", data, head)
    (colr_bytes,) = struct.unpack_from(">I", data, colr)
    new = struct.pack(">I4s3B", len(profile) + 11, b"colr", 2, 0, 0) + profile
    size = struct.pack(">I", head_bytes - colr_bytes + len(new))
    data = data[:head] + size + data[head + 4 : colr] + new + data[colr + colr_bytes :]
    (colour,) = colours_of(picture(data).variants[0].body, 1)
    assert max(abs(a - b) for a, b in zip(colour, (200, 40, 40), strict=True)) <= 4


def test_an_unknown_major_brand_hides_no_picture() -> None:
    for format_, brand in (("AVIF", b"avif"), ("HEIF", b"heic")):
        data = saved(RED_AND_BLUE, format_)
        assert data[8:12] == brand
        assert picture(data[:8] + b"mif3" + data[12:]).metadata.width_px == 128


@pytest.mark.parametrize("end", range(0, 400, 7))
def test_damaged_boxes_count_as_absent(end: int) -> None:
    data = with_property(saved(RED_AND_BLUE, "AVIF"), clap(64, 64, -64, 0))
    assert isinstance(primary_item(io.BytesIO(data[:end])), PrimaryItem)
    noise = bytes((byte * 7 + at) % 256 for at, byte in enumerate(data[40 : 40 + end]))
    assert isinstance(primary_item(io.BytesIO(data[:40] + noise)), PrimaryItem)
