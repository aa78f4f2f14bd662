"""Photoshop files (Adobe Photoshop File Formats Specification, 2019) that Pillow reads wrongly.

Pillow takes any fourth channel for transparency, and reads the table of run lengths as if there
were no channels beyond those of the colour mode.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from PIL import Image, ImageChops, ImageFile

_HEADER: Final = struct.Struct(">4sH6xHIIHH")  # signature, version, channels, height, width, …
_LARGE: Final = 2  # version of PSB
_BANDS: Final = {1: "L", 2: "P", 3: "RGB", 4: "CMYK", 7: "L", 8: "L", 9: "LAB"}
_RUN_LENGTHS: Final = 1
_MOST_COLOUR_BYTES: Final = 1 << 16  # 768; of duotones some hundred
_BLACK_RUN: Final = b"\x81\0"  # 128 zeros in PackBits


def why_unreadable(head: bytes) -> str | None:
    """Why a file that begins with `head` cannot be decoded; None when it can."""
    if len(head) < _HEADER.size:
        return None
    _, version, _, _, _, bits, _ = _HEADER.unpack_from(head)
    if version == _LARGE:
        return "no decoder for large Photoshop files (PSB)"
    if bits > 8:
        return f"no decoder for Photoshop files with {bits} bits per channel"
    return None


def with_extra_channels(file: BinaryIO) -> Image.Image | None:
    """The composite picture of a file with more channels than its colour mode; else None.

    Raises OSError or struct.error when it is damaged.
    """
    file.seek(0)
    _, _, channels, height, width, bits, mode = _HEADER.unpack(file.read(_HEADER.size))
    bands = _BANDS.get(mode)
    if bits != 8 or bands is None or channels <= len(bands):
        return None
    colours = _block(file)
    _skip_block(file)  # image resources
    is_transparent = _has_transparency(file) and bands in ("L", "RGB")
    _skip_block(file)
    read = len(bands) + is_transparent
    found = _channels(file, channels, read, (width, height))
    if bands == "CMYK":
        found = [ImageChops.invert(channel) for channel in found]
    if is_transparent:
        *shown, alpha = found
        return Image.merge("RGBA", (*(shown * 3)[:3], alpha))
    if bands == "P":
        found[0].putpalette(colours, "RGB;L")  # all reds, all greens, all blues
    return found[0] if len(bands) == 1 else Image.merge(bands, found)


def _block(file: BinaryIO) -> bytes:
    (size,) = struct.unpack(">I", file.read(4))
    if size > _MOST_COLOUR_BYTES:
        raise OSError("a colour table of an impossible size")
    return file.read(size)


def _skip_block(file: BinaryIO) -> None:
    (size,) = struct.unpack(">I", file.read(4))
    file.seek(size, 1)


def _has_transparency(file: BinaryIO) -> bool:
    """A negative number of layers says that the first extra channel is the transparency."""
    start = file.tell()
    section, layers = struct.unpack(">II", file.read(8))
    count = struct.unpack(">h", file.read(2))[0] if section and layers else 0
    file.seek(start)
    return bool(count < 0)


def _channels(file: BinaryIO, channels: int, read: int, size: tuple[int, int]) -> list[Image.Image]:
    """The first `read` of `channels` channels, one after another in the file."""
    width, height = size
    (compression,) = struct.unpack(">H", file.read(2))
    if compression != _RUN_LENGTHS:
        return [_plane(file, size, width * height, "raw") for _ in range(read)]
    rows = channels * height
    lengths = struct.unpack(f">{rows}H", file.read(2 * rows))
    return [
        _plane(file, size, sum(lengths[at * height : (at + 1) * height]), "packbits")
        for at in range(read)
    ]


def _plane(file: BinaryIO, size: tuple[int, int], count: int, codec: str) -> Image.Image:
    data = file.read(count)
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # as Pillow then does: what is missing is black
        data += bytes(count) if codec == "raw" else _BLACK_RUN * (count + size[1])
    try:
        return Image.frombytes("L", size, data, codec, "L")
    except ValueError as error:
        raise OSError("the channels end early") from error
