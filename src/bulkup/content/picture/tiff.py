"""TIFFs with several wide samples per pixel (floats, 32 bits), for which Pillow has no mode.

Uncompressed and deflated strips (TIFF 6.0; TIFF Technical Note 2), as scientific programs write
them. Others are left to Pillow, which refuses them.
"""

from __future__ import annotations

import zlib
from typing import Any, BinaryIO, Final

from PIL import Image, TiffImagePlugin

from bulkup.content.picture.colour.greys import measured
from bulkup.content.picture.facts.exif import BROKEN

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES = 256, 257, 258, 259, 273, 277
_COUNTS, _PLANAR, _PREDICTOR, _FORMAT = 279, 284, 317, 339
_KINDS: Final = {1: "u", 2: "i", 3: "f"}  # sample formats
_NONE, _DEFLATES = 1, (8, 32946)
_CHUNKY: Final = 1
_RGB: Final = 3


class WideTiff:
    """The first picture of such a file, not yet read."""

    def __init__(self, file: BinaryIO, tags: Any, dtype: str) -> None:
        self.size: tuple[int, int] = (tags[_WIDTH], tags[_HEIGHT])
        self._file = file
        self._tags = tags
        self._dtype = dtype

    def read(self) -> Image.Image:
        """As RGB, with one scale for all three. Raises OSError when the data end early."""
        import numpy as np

        width, height = self.size
        samples = self._tags[_SAMPLES]
        size_bytes = width * height * samples * np.dtype(self._dtype).itemsize
        data = bytearray()
        for offset, count in zip(self._tags[_OFFSETS], self._tags[_COUNTS], strict=True):
            self._file.seek(offset)
            strip = self._file.read(min(count, size_bytes))
            if self._tags.get(_COMPRESSION, _NONE) != _NONE:
                strip = zlib.decompressobj().decompress(strip, size_bytes - len(data) + 1)
            data += strip
            if len(data) >= size_bytes:
                break
        if len(data) < size_bytes:
            raise OSError("the strips end early")
        values = np.frombuffer(bytes(data[:size_bytes]), self._dtype)
        pixels = values.reshape(height, width, samples)[:, :, :_RGB]
        return Image.fromarray(measured(pixels.astype(np.float64), self._tags))


def wide_tiff(file: BinaryIO) -> WideTiff | None:
    """The file, if it is one of these."""
    file.seek(0)
    try:
        head = file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        bits, formats = set(tags[_BITS]), set(tags.get(_FORMAT, (1,)))
        is_plain = (
            tags[_SAMPLES] >= _RGB
            and tags.get(_PLANAR, _CHUNKY) == _CHUNKY
            and tags.get(_PREDICTOR, 1) == 1
            and tags.get(_COMPRESSION, _NONE) in (_NONE, *_DEFLATES)
            and len(bits) == len(formats) == 1
            and len(tags[_OFFSETS]) == len(tags[_COUNTS])
        )
        (width,), (kind,) = bits, (_KINDS[one] for one in formats)
        if is_plain and (width in (32, 64) or (width, kind) == (16, "f")):
            order = "<" if head.startswith(b"II") else ">"
            return WideTiff(file, tags, f"{order}{kind}{width // 8}")
    except BROKEN:
        pass
    return None
