"""Raw pictures: their previews, turned once, and their own size."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from bulkup.content.picture import raw
from bulkup.content.picture.header import header_facts
from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.types import Picture, Skipped
from tests.unit.content.picture.made import mean_error, opened, saved, scene

SENSOR = (1224, 816)
PREVIEW = scene(640, 426)  # as the scene looks, upright
BACK = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""What makes an upright picture lie as the sensor does."""


@pytest.fixture(autouse=True)
def without_libraw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "has_libraw", lambda: False)


def raw_file(preview: bytes, orientation: int, size: tuple[int, int] = SENSOR) -> bytes:
    """A TIFF like a raw file: sensor data that Pillow cannot read, a JPEG in a SubIFD."""
    entries = 5
    first = 8 + 2 + 12 * entries + 4
    jpeg = first + 2 + 12 * 2 + 4
    main = [(256, 4, 1, size[0]), (257, 4, 1, size[1]), (262, 3, 1, 32803),
            (274, 3, 1, orientation), (330, 4, 1, first)]  # fmt: skip
    sub = [(513, 4, 1, jpeg), (514, 4, 1, len(preview))]
    body = b"II*\0" + struct.pack("<I", 8)
    for fields in (main, sub):
        body += struct.pack("<H", len(fields))
        body += b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return body + preview


def jpeg(image: Image.Image, orientation: int | None) -> bytes:
    exif = Image.Exif()
    if orientation is None:
        exif[0x010F] = "Maker"
    else:
        exif[0x0112] = orientation
    return saved(image, exif=exif.tobytes())


def picture(data: bytes) -> Picture:
    made = make_variants(data, name="DSC_0001.NEF")
    assert isinstance(made, Picture)
    return made


@pytest.mark.parametrize("says", [None, 1, 8], ids=["silent", "says 1", "says the same"])
@pytest.mark.parametrize("orientation", [1, 6, 8, 3])
def test_a_preview_that_lies_as_the_sensor_does_is_turned(
    orientation: int, says: int | None
) -> None:
    if says is not None and (orientation in (1, 3) or says == 8):
        says = orientation
    upright = PREVIEW if orientation in (1, 3) else scene(426, 640)
    back = BACK[orientation]
    stored = upright if back is None else upright.transpose(back)
    made = picture(raw_file(jpeg(stored, says), orientation))
    assert mean_error(opened(made.variants[1].body), upright) < 6
    size = SENSOR if orientation in (1, 3) else SENSOR[::-1]
    assert (made.metadata.width_px, made.metadata.height_px) == size
    assert made.metadata.orientation == orientation


@pytest.mark.parametrize("says", [None, 1, 8], ids=["silent", "says 1", "copied from the raw"])
@pytest.mark.parametrize("orientation", [6, 8])
def test_a_preview_that_is_upright_already_is_not_turned_again(
    orientation: int, says: int | None
) -> None:
    upright = scene(426, 640)
    made = picture(raw_file(jpeg(upright, says), orientation))
    assert mean_error(opened(made.variants[1].body), upright) < 6
    assert (made.metadata.width_px, made.metadata.height_px) == SENSOR[::-1]


def test_an_upright_preview_of_half_a_turn_is_believed() -> None:
    """Its shape says nothing, so that only its own orientation can."""
    made = picture(raw_file(jpeg(PREVIEW, 1), 3))
    assert mean_error(opened(made.variants[1].body), PREVIEW) < 6


def test_a_raw_picture_has_the_size_of_its_sensor() -> None:
    made = picture(raw_file(jpeg(scene(160, 106), None), 1))
    assert (made.metadata.width_px, made.metadata.height_px) == SENSOR
    assert made.metadata.format == "NEF"


def test_a_raw_picture_without_a_simple_preview_asks_for_the_extra() -> None:
    made = make_variants(b"FUJIFILMCCD-RAW " + bytes(2000), name="DSCF0001.RAF")
    assert isinstance(made, Skipped)
    assert "bulkup[raw]" in made.reason


def test_the_preview_of_a_fujifilm_file_is_read_with_its_own_metadata() -> None:
    preview = jpeg(PREVIEW, None)
    head = b"FUJIFILMCCD-RAW 0201FF393101".ljust(84, b"\0") + struct.pack(">II", 92, len(preview))
    made = make_variants(head + preview, name="DSCF0001.RAF")
    assert isinstance(made, Picture)
    assert made.metadata.facts.camera == "Maker"
    assert header_facts(io.BytesIO(head + preview), "DSCF0001.RAF").camera == "Maker"
    assert mean_error(opened(made.variants[1].body), PREVIEW) < 6


def test_a_panasonic_file_has_the_size_between_its_borders() -> None:
    preview = jpeg(PREVIEW, None)
    fields = [(4, 3, 1, 6), (5, 3, 1, 8), (6, 3, 1, 2742), (7, 3, 1, 3656)]
    at = 8 + 2 + 12 * 6 + 4
    fields += [(513, 4, 1, at), (514, 4, 1, len(preview))]
    body = b"IIU\0" + struct.pack("<IH", 8, len(fields))
    body += b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    made = make_variants(body + preview, name="P1000001.RW2")
    assert isinstance(made, Picture)
    assert (made.metadata.width_px, made.metadata.height_px) == (3648, 2736)


def test_a_raw_file_of_which_the_directories_loop_ends() -> None:
    loop = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 330, 4, 1, 8, 8)
    assert raw.read_raw(io.BytesIO(loop)).preview is None
