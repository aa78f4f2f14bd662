"""Photoshop files with channels beyond those of their colours."""

from __future__ import annotations

import struct

import pytest

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture, Skipped
from bulkup.errors import PictureInvalid
from tests.unit.content.picture.made import colours_of

WIDTH, HEIGHT = 64, 32


def psd(
    channels: list[bytes],
    size: tuple[int, int] = (WIDTH, HEIGHT),
    *,
    mode: int,
    bits: int = 8,
    version: int = 1,
    layers: int = 0,
    packed: bool = False,
    resources: bytes = b"",
    colours: bytes = b"",
) -> bytes:
    """A file of these channels. `layers` is the number that its layer section claims."""
    width, height = size
    head = struct.pack(">4sH6xHIIHH", b"8BPS", version, len(channels), height, width, bits, mode)
    section = struct.pack(">IIhxx", 8, 4, layers) if layers else bytes(4)
    if not packed:
        body = bytes(2) + b"".join(channels)
    else:
        rows = [
            _packed(one[y * width : (y + 1) * width]) for one in channels for y in range(height)
        ]
        lengths = b"".join(struct.pack(">H", len(row)) for row in rows)
        body = b"\0\1" + lengths + b"".join(rows)
    table = struct.pack(">I", len(colours)) + colours
    return head + table + struct.pack(">I", len(resources)) + resources + section + body


def _packed(row: bytes) -> bytes:
    """One run or literal after the other (PackBits)."""
    out = b""
    for at in range(0, len(row), 64):
        part = row[at : at + 64]
        if len(set(part)) == 1:
            out += bytes([257 - len(part)]) + part[:1]
        else:
            out += bytes([len(part) - 1]) + part
    return out


def halves(left: int, right: int) -> bytes:
    return (bytes([left]) * (WIDTH // 2) + bytes([right]) * (WIDTH // 2)) * HEIGHT


SELECTION = halves(0, 255)
RED_AND_BLUE = [halves(200, 30), halves(30, 30), halves(30, 200)]


def shown(data: bytes) -> list[tuple[int, ...]]:
    made = make_variants(data)
    assert isinstance(made, Picture)
    assert (made.metadata.width_px, made.metadata.height_px) == (WIDTH, HEIGHT)
    return colours_of(made.variants[0].body, 2)


def near(one: list[tuple[int, ...]], other: list[tuple[int, ...]]) -> bool:
    return all(
        abs(a - b) <= 4 for p, q in zip(one, other, strict=True) for a, b in zip(p, q, strict=True)
    )


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "run lengths"])
@pytest.mark.parametrize("extra", [1, 2])
def test_selections_are_not_shown(packed: bool, extra: int) -> None:
    data = psd(RED_AND_BLUE + [SELECTION] * extra, mode=3, packed=packed)
    assert near(shown(data), [(200, 30, 30), (30, 30, 200)])
    grey = psd([halves(200, 50)] + [SELECTION] * extra, mode=1, packed=packed)
    assert near(shown(grey), [(200,) * 3, (50,) * 3])
    inks = [halves(255, 0), halves(0, 0), halves(0, 0), halves(255, 255)]
    cmyk = psd(inks + [SELECTION] * extra, mode=4, packed=packed)
    assert shown(cmyk) == shown(psd(inks, mode=4, packed=packed))


def test_a_negative_number_of_layers_makes_the_channel_transparency() -> None:
    made = make_variants(psd([*RED_AND_BLUE, SELECTION], mode=3, layers=-1, packed=True))
    assert isinstance(made, Picture)
    assert made.variants[1].format.value == "webp", "a JPEG has no transparency"


@pytest.mark.parametrize(
    ("bits", "version", "words"), [(16, 1, "16 bits"), (32, 1, "32 bits"), (8, 2, "PSB")]
)
def test_what_has_no_decoder_is_skipped_with_the_reason(
    bits: int, version: int, words: str
) -> None:
    made = make_variants(
        psd([bytes(WIDTH * HEIGHT * bits // 8)] * 3, mode=3, bits=bits, version=version)
    )
    assert isinstance(made, Skipped)
    assert words in made.reason


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "run lengths"])
def test_a_palette_is_kept_beside_a_selection(packed: bool) -> None:
    palette = (
        bytes([200, 30, *[0] * 254]) + bytes([30, 30, *[0] * 254]) + bytes([30, 200] + [0] * 254)
    )
    data = psd([halves(0, 1), SELECTION], mode=2, colours=palette, packed=packed)
    assert near(shown(data), [(200, 30, 30), (30, 30, 200)])


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "run lengths"])
def test_channels_that_end_early_are_shown_as_far_as_they_go(packed: bool) -> None:
    data = psd([*RED_AND_BLUE, SELECTION], mode=3, packed=packed)
    whole = psd(RED_AND_BLUE, mode=3, packed=packed)
    made = make_variants(data[: len(whole) - 8])
    assert isinstance(made, Picture)
    assert made.metadata.is_truncated
    assert colours_of(made.variants[0].body, 2)[0][0] > 150


def test_a_file_without_channels_is_refused() -> None:
    data = psd([*RED_AND_BLUE, SELECTION], mode=3)
    with pytest.raises(PictureInvalid):
        make_variants(data[: -WIDTH * HEIGHT * 4])
