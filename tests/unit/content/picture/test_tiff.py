"""TIFFs of several wide samples per pixel."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import PictureLimits
from bulkup.content.picture.types import Picture
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import colours_of, opened, saved

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


def blocks_of(pixels: np.ndarray, columns: int, rows: int) -> Iterator[np.ndarray]:
    """Tiles in the order of the file, those at the edges filled up with zeros."""
    height, width = pixels.shape[:2]
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            part = pixels[top : top + rows, left : left + columns]
            whole = np.zeros((rows, columns, pixels.shape[2]), pixels.dtype)
            whole[: part.shape[0], : part.shape[1]] = part
            yield whole


def differences(block: np.ndarray, predictor: int, order: str) -> bytes:
    """The bytes of a tile after the predictor (TIFF 6.0, section 14; Technical Note 3)."""
    rows, columns, samples = block.shape
    if predictor == 2:
        block = block.view(f"u{block.dtype.itemsize}")
        block = np.diff(block, axis=1, prepend=np.zeros((rows, 1, samples), block.dtype))
    if predictor < 3:
        return block.astype(block.dtype.newbyteorder(order)).tobytes()
    size = block.dtype.itemsize
    parts = np.frombuffer(block.astype(block.dtype.newbyteorder(">")).tobytes(), np.uint8)
    planes = parts.reshape(rows, columns * samples, size).transpose(0, 2, 1)
    steps = planes.reshape(rows, columns * size, samples)
    return np.diff(steps, axis=1, prepend=np.zeros((rows, 1, samples), np.uint8)).tobytes()


def lzw(data: bytes, rows: int) -> bytes:
    """Compressed by Pillow, as the one strip of a grey picture."""
    grey = Image.frombytes("L", (len(data) // rows, rows), data)
    file = io.BytesIO(saved(grey, "TIFF", compression="tiff_lzw", tiffinfo={278: rows}))
    with Image.open(file) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        (offset,), (count,) = image.tag_v2[273], image.tag_v2[279]
        return file.getvalue()[offset : offset + count]


def tiled(
    pixels: np.ndarray,
    kind: int,
    *,
    predictor: int = 1,
    is_planar: bool = False,
    order: str = "<",
    photometric: int | None = None,
    alpha: int = 0,
) -> bytes:
    """A TIFF of tiles of 32 by 16 pixels, compressed by LZW; `alpha` is 1 or 2 (ExtraSamples)."""
    height, width, samples = pixels.shape
    planes = [pixels[:, :, at : at + 1] for at in range(samples)] if is_planar else [pixels]
    tiles = [
        lzw(differences(block, predictor, order), 16)
        for plane in planes
        for block in blocks_of(plane, 32, 16)
    ]
    if photometric is None:
        photometric = 2 if samples >= 3 else 1
    offsets = [0] * len(tiles)
    fields = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [pixels.dtype.itemsize * 8] * samples),
        (259, 3, [5]), (262, 3, [photometric]), (277, 3, [samples]),
        (284, 3, [2 if is_planar else 1]), (317, 3, [predictor]), (322, 3, [32]), (323, 3, [16]),
        (324, 4, offsets), (325, 4, [len(tile) for tile in tiles]),
        *([(338, 3, [alpha])] if alpha else []), (339, 3, [kind] * samples),
    ]  # fmt: skip
    values_at = 8 + 2 + 12 * len(fields) + 4
    start = values_at + sum(4 * len(numbers) for _, _, numbers in fields)
    offsets[:] = [start + sum(map(len, tiles[:at])) for at in range(len(tiles))]
    directory, values = struct.pack(order + "H", len(fields)), b""
    for tag, type_, numbers in fields:
        packed = struct.pack(f"{order}{len(numbers)}{'H' if type_ == 3 else 'I'}", *numbers)
        directory += struct.pack(order + "HHI", tag, type_, len(numbers))
        if len(packed) <= 4:
            directory += packed.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "I", values_at + len(values))
            values += packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    body = head + directory + bytes(4) + values
    return body.ljust(start, b"\0") + b"".join(tiles)


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


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_planar", [False, True])
@pytest.mark.parametrize(
    ("dtype", "predictor"), [("f4", 1), ("f4", 3), ("f8", 3), ("f8", 2), ("u4", 2)]
)
def test_compressed_tiles_are_colours(
    dtype: str, predictor: int, is_planar: bool, order: str
) -> None:
    pixels = thirds() if dtype.startswith("f") else thirds().astype(np.float64) * (2**32 - 1)
    kind = 3 if dtype.startswith("f") else 1
    data = tiled(pixels.astype(dtype), kind, predictor=predictor, is_planar=is_planar, order=order)
    for found, truth in zip(shown(data), RED_GREEN_BLUE, strict=True):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))


@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_grey_floats_are_shown_in_either_byte_order(order: str) -> None:
    data = tiled(thirds()[:, :, :1], 3, order=order)
    assert [colour[0] > 240 for colour in shown(data)] == [True, False, False]


def test_sixteen_bits_in_planes_keep_their_white() -> None:
    pixels = (thirds() * 0x8000).astype(np.uint16)
    halves = [tuple(channel * 128 // 255 for channel in colour) for colour in RED_GREEN_BLUE]
    for found, truth in zip(shown(tiled(pixels, 1, is_planar=True)), halves, strict=True):
        assert all(abs(a - b) <= 8 for a, b in zip(found, truth, strict=True))


def test_grey_with_premultiplied_transparency_is_shown() -> None:
    grey, alpha = Image.new("L", (64, 32), 100), Image.new("L", (64, 32), 200)
    data = saved(Image.merge("LA", (grey, alpha)), "TIFF")
    # ExtraSamples: from unassociated (2) to associated alpha (1).
    unassociated, associated = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert data.count(unassociated) == 1
    made = make_variants(data.replace(unassociated, associated))
    assert isinstance(made, Picture)
    assert made.variants[1].format.value == "webp"


def test_more_bands_than_three_show_the_first_three() -> None:
    five = np.concatenate([thirds(), thirds()[:, :, :2]], axis=2)
    for found, truth in zip(shown(tiled(five, 3)), RED_GREEN_BLUE, strict=True):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))


WHOLE = {"u2": 65535, "u4": 2**32 - 1, "f4": 1}


@pytest.mark.parametrize("is_planar", [False, True])
@pytest.mark.parametrize("dtype", ["u2", "u4", "f4"])
@pytest.mark.parametrize("alpha", [1, 2])
def test_wide_colours_keep_their_transparency(dtype: str, is_planar: bool, alpha: int) -> None:
    """The left third is opaque, the middle translucent, the right one wholly."""
    opacity = np.repeat([1, 0.6, 0], WIDTH // 3)[None, :, None] * np.ones((HEIGHT, 1, 1))
    colours = thirds() * (opacity if alpha == 1 else 1)
    pixels = (np.concatenate([colours, opacity], axis=2) * WHOLE[dtype]).astype(dtype)
    data = tiled(pixels, 3 if dtype == "f4" else 1, is_planar=is_planar, alpha=alpha)
    made = make_variants(data)
    assert isinstance(made, Picture)
    middle = opened(made.variants[1].body)
    assert middle.mode == "RGBA"
    red, green, blue = (middle.getpixel((x, 8)) for x in (16, 48, 80))
    for found, truth in ((red, (255, 0, 0, 255)), (green, (0, 255, 0, 153))):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))  # type: ignore[arg-type]
    assert blue[3] == 0  # type: ignore[index]


@pytest.mark.parametrize("is_planar", [False, True])
def test_grey_of_sixteen_bits_keeps_its_transparency(is_planar: bool) -> None:
    pixels = np.full((HEIGHT, WIDTH, 2), 0x8000, np.uint16)
    made = make_variants(tiled(pixels, 1, is_planar=is_planar, alpha=2))
    assert isinstance(made, Picture)
    assert opened(made.variants[1].body).getpixel((40, 16)) == (128, 128, 128, 128)


def test_four_inks_of_sixteen_bits_in_planes_are_no_red_green_and_blue() -> None:
    inks = np.concatenate([1 - thirds(), np.zeros((HEIGHT, WIDTH, 1))], axis=2)
    data = tiled((inks * 65535).astype(np.uint16), 1, is_planar=True, photometric=5)
    for found, truth in zip(shown(data), RED_GREEN_BLUE, strict=True):
        assert all(abs(a - b) <= 12 for a, b in zip(found, truth, strict=True))


@pytest.mark.parametrize("photometric", [8, 9])
@pytest.mark.parametrize("is_planar", [False, True])
def test_lab_of_sixteen_bits_is_no_red_green_and_blue(is_planar: bool, photometric: int) -> None:
    """CIELab has a and b signed, ICCLab has them with an offset (TIFF Technical Note 4)."""
    lab = [(54.3, 81, 70), (87.8, -79, 81), (29.6, 68, -112)]  # red, green and blue at D50
    offset = 0 if photometric == 8 else 128
    row = [(round(x / 100 * 65280), (a + offset) * 256, (b + offset) * 256) for x, a, b in lab]
    pixels = np.repeat(np.array(row) & 0xFFFF, WIDTH // 3, axis=0).astype(np.uint16)
    data = tiled(np.tile(pixels, (HEIGHT, 1, 1)), 1, is_planar=is_planar, photometric=photometric)
    for found, truth in zip(shown(data), RED_GREEN_BLUE, strict=True):
        assert found.index(max(found)) == truth.index(255)
        assert all(abs(a - b) <= 24 for a, b in zip(found, truth, strict=True))


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


def grey(pixels: np.ndarray, kind: int, photometric: int) -> bytes:
    """A TIFF of one sample per pixel; photometric 0 means that numbers grow towards black."""
    height, width = pixels.shape
    fields = (
        *((256, width), (257, height), (258, pixels.dtype.itemsize * 8), (259, 1)),
        *((262, photometric), (273, 8), (277, 1), (278, height), (279, pixels.nbytes), (339, kind)),
    )
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    head = b"II*\0" + struct.pack("<I", 8 + pixels.nbytes)
    return head + pixels.tobytes() + struct.pack("<H", len(fields)) + directory + bytes(4)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize(
    ("dtype", "kind", "low", "high"),
    [
        ("<u1", 1, 0, 255),
        ("<u2", 1, 0, 65535),
        ("<u2", 1, 0, 4095),
        ("<u4", 1, 0, 2**32 - 1),
        ("<f4", 3, -1, 1),
        ("<f8", 3, 0, 1),
        ("<i1", 2, -128, 127),
        ("<i2", 2, -9000, 9000),
    ],
)
def test_a_ramp_of_every_kind_grows_towards_white(
    dtype: str, kind: int, low: float, high: float, photometric: int
) -> None:
    steps = np.linspace(*((low, high) if photometric else (high, low)), 64)
    ramp = np.tile(steps.astype(dtype), (32, 1))
    made = make_variants(grey(ramp, kind, photometric), name="a.tif")
    assert isinstance(made, Picture)
    shown = [colour[0] for colour in colours_of(made.variants[0].body, 4)]
    assert max(abs(a - b) for a, b in zip(shown, (32, 96, 160, 224), strict=True)) <= 6
