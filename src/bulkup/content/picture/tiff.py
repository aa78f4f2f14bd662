"""TIFFs whose samples Pillow has no mode for, or reads wrongly.

These are several floats or wide numbers per pixel, with grey and alpha or Lab of 16 bits among
them; single ones whose bytes are the highest first and compressed; and 16 bits in separate planes.
Strips and tiles, chunky and planar, in every lossless compression that Pillow's libtiff reads, with
both predictors (TIFF 6.0; TIFF Technical Notes 1, 3 and 4). Others are left to Pillow.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from PIL import Image, ImageFile, TiffImagePlugin

from bulkup.content.picture.colour.greys import measured, of_sixteen_bits
from bulkup.content.picture.facts.exif import BROKEN, orientation

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS, _SAMPLES = 256, 257, 258, 259, 273, 277
_PHOTOMETRIC, _BLACK_IS_ZERO = 262, 1
_INKS, _LAB, _ICC_LAB = 5, 8, 9  # of the colours: CMYK; Lab with signed a and b, and with offsets
_EXTRA_SAMPLES, _ASSOCIATED, _UNASSOCIATED = 338, 1, 2  # alpha, multiplied with the colours or not
_ROWS, _COUNTS, _PLANAR, _PREDICTOR, _FORMAT = 278, 279, 284, 317, 339
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_KINDS: Final = {1: "u", 2: "i", 3: "f"}  # sample formats
_SIGNED: Final = 2
_UNCOMPRESSED: Final = 1
_LOSSLESS: Final = (1, 5, 8, 32773, 32946, 34925, 50000)  # LZW, deflate, PackBits, LZMA, Zstandard
_CHUNKY, _SEPARATE = 1, 2
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3
_ICC_PROFILE: Final = 34675
_BIG_TIFF: Final = 43
_MOST_BLOCK_BYTES: Final = 1 << 30
_GREY, _RGB, _CMYK = 1, 3, 4  # samples of a colour


class _Blocks(NamedTuple):
    """The strips or tiles. `columns` and `rows` are the size of a whole one."""

    columns: int
    rows: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    are_tiles: bool


class WideTiff:
    """The first picture of such a file, not yet read."""

    def __init__(self, file: BinaryIO, tags: Any, dtype: str) -> None:
        self.size: tuple[int, int] = (tags[_WIDTH], tags[_HEIGHT])
        self.orientation = orientation(tags)
        self.profile: bytes | None = tags.get(_ICC_PROFILE)
        self._file = file
        self._tags = tags
        self._dtype = dtype
        self._is_planar = tags.get(_PLANAR, _CHUNKY) == _SEPARATE
        self._blocks = _blocks_of(tags)
        self._colours = _colours_of(tags)
        extra = tags.get(_EXTRA_SAMPLES, (0,))[0] if tags[_SAMPLES] > self._colours else 0
        self._alpha = extra if extra in (_ASSOCIATED, _UNASSOCIATED) else 0

    def read(self) -> Image.Image:
        """As RGB or RGBA, with one scale for all colours, or as L, CMYK or LAB.

        Raises OSError for damaged data; what precedes the damage is shown where Pillow, too, loads
        truncated pictures.
        """
        import numpy as np

        width, height = self.size
        samples: int = self._tags[_SAMPLES]
        shown = self._colours + bool(self._alpha)
        pixels = np.zeros((height, width, shown), self._dtype)
        blocks = self._blocks
        across, down = -(-width // blocks.columns), -(-height // blocks.rows)
        planes = shown if self._is_planar else 1
        if len(blocks.offsets) < across * down * planes or len(blocks.counts) < len(blocks.offsets):
            raise OSError("strips or tiles are missing")
        for at in range(across * down * planes):
            plane, place = divmod(at, across * down)
            top, left = place // across * blocks.rows, place % across * blocks.columns
            rows = blocks.rows if blocks.are_tiles else min(blocks.rows, height - top)
            try:
                block = self._block(at, rows, 1 if self._is_planar else samples)
            except OSError:
                if not ImageFile.LOAD_TRUNCATED_IMAGES:
                    raise
                break
            part = block[: height - top, : width - left]
            bands = slice(plane, plane + 1) if self._is_planar else slice(0, shown)
            target = pixels[top : top + rows, left : left + blocks.columns, bands]
            target[:] = part if self._is_planar else part[:, :, :shown]
        image = self._coloured(pixels[:, :, : self._colours])
        if not self._alpha or image.mode not in ("L", "RGB"):
            return image
        image = image.convert("RGB")
        image.putalpha(Image.fromarray(self._opacity(pixels[:, :, -1])))
        if self._alpha == _UNASSOCIATED:
            return image
        return Image.frombytes("RGBa", image.size, image.tobytes()).convert("RGBA")

    def _coloured(self, pixels: Array) -> Image.Image:
        """The samples of the colour as 8 bits."""
        kind = self._tags.get(_PHOTOMETRIC)
        if kind in (_LAB, _ICC_LAB) and self._colours == _RGB and self._dtype.endswith("u2"):
            lab = (pixels >> 8).astype("u1")
            if kind == _ICC_LAB:
                lab[:, :, 1:] ^= 128  # Pillow takes a and b signed
            return Image.frombytes("LAB", self.size, lab.tobytes(), "raw", "LAB")
        if self._dtype.endswith("u2"):  # with an agreed white, as for Pillow
            image = of_sixteen_bits(pixels, self._tags)
        else:
            image = measured(pixels.astype("f8"), self._tags)
        if self._colours == _CMYK:
            return Image.frombytes("CMYK", self.size, image.tobytes())
        return Image.fromarray(image if self._colours == _RGB else image[:, :, 0])

    def _opacity(self, values: Array) -> Array:
        """Alpha as 8 bits: of floats 1.0 is opaque, of whole numbers the highest."""
        import numpy as np

        if self._dtype.endswith("u2"):
            return of_sixteen_bits(values, {})
        opaque = 1.0 if self._dtype[1] == "f" else float(np.iinfo(self._dtype).max)
        parts = np.clip(np.nan_to_num(values.astype("f8") / opaque), 0, 1)
        return np.asarray(parts * 255, np.uint8)

    def _block(self, at: int, rows: int, samples: int) -> Array:
        """A strip or tile, of shape (rows, columns, samples)."""
        import numpy as np

        columns = self._blocks.columns
        row_bytes = columns * samples * np.dtype(self._dtype).itemsize
        self._file.seek(self._blocks.offsets[at])
        data = self._file.read(self._blocks.counts[at])
        compression = self._tags.get(_COMPRESSION, _UNCOMPRESSED)
        if compression != _UNCOMPRESSED:
            data = _decompressed(data, compression, row_bytes, rows)
        if len(data) < rows * row_bytes:
            raise OSError("a strip or tile ends early")
        predictor = self._tags.get(_PREDICTOR, 1)
        if predictor == _FLOAT_DIFFERENCES:
            return _summed_floats(data, self._dtype, (rows, columns, samples))
        values = np.frombuffer(data, self._dtype, rows * columns * samples)
        values = values.reshape(rows, columns, samples)
        if predictor == _DIFFERENCES:
            whole = f"{self._dtype[0]}u{self._dtype[2:]}"  # also the bits of floats
            return np.cumsum(values.view(whole), axis=1, dtype=whole).view(self._dtype)
        return values


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow opens the file, but may read its pixels wrongly."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    is_planar = tags.get(_PLANAR, _CHUNKY) == _SEPARATE
    bits = max(tags.get(_BITS, (1,)))
    is_signed = bits == 8 and _SIGNED in tags.get(_FORMAT, ())
    return image.mode in ("F", "I") or (is_planar and bits > 8) or is_signed


def wide_tiff(file: BinaryIO) -> WideTiff | None:
    """The file, if it is one of these."""
    file.seek(0)
    try:
        head = file.read(8)
        if _BIG_TIFF in head[2:4]:
            head += file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        bits, formats = set(tags[_BITS]), set(tags.get(_FORMAT, (1,)))
        (width,), (kind,) = bits, (_KINDS[one] for one in formats)
        predictors = (1, _DIFFERENCES, *((_FLOAT_DIFFERENCES,) if kind == "f" else ()))
        if (
            tags.get(_COMPRESSION, _UNCOMPRESSED) in _LOSSLESS
            and tags.get(_PREDICTOR, 1) in predictors
            and (width in (16, 32, 64) or (width, kind) == (8, "i"))
        ):
            order = "<" if head.startswith(b"II") else ">"
            return WideTiff(file, tags, f"{order}{kind}{width // 8}")
    except BROKEN:
        pass
    return None


def _colours_of(tags: Any) -> int:
    """How many samples of a pixel are its colour."""
    samples: int = tags[_SAMPLES]
    if tags.get(_PHOTOMETRIC) == _INKS and samples >= _CMYK:
        return _CMYK
    return _RGB if samples >= _RGB else _GREY


def _blocks_of(tags: Any) -> _Blocks:
    if _TILE_OFFSETS in tags:
        columns, rows = tags[_TILE_WIDTH], tags[_TILE_HEIGHT]
        blocks = _Blocks(columns, rows, tags[_TILE_OFFSETS], tags[_TILE_COUNTS], are_tiles=True)
    else:
        rows = min(tags.get(_ROWS, tags[_HEIGHT]), tags[_HEIGHT])
        blocks = _Blocks(tags[_WIDTH], rows, tags[_OFFSETS], tags[_COUNTS], are_tiles=False)
    is_sound = blocks.columns > 0 and blocks.rows > 0
    if not is_sound or blocks.columns * blocks.rows * tags[_SAMPLES] * 8 > _MOST_BLOCK_BYTES:
        raise ValueError("strips or tiles of an impossible size")
    return blocks


def _decompressed(data: bytes, compression: int, row_bytes: int, rows: int) -> bytes:
    """The bytes of a strip or tile: libtiff reads them as a grey picture of that size."""
    fields = (
        *((_WIDTH, row_bytes), (_HEIGHT, rows), (_BITS, 8), (_COMPRESSION, compression)),
        *((_PHOTOMETRIC, _BLACK_IS_ZERO), (_OFFSETS, 8), (_SAMPLES, 1), (_ROWS, rows)),
        (_COUNTS, len(data)),
    )
    body = data + bytes(len(data) % 2)
    head = b"II*\0" + struct.pack("<I", 8 + len(body))
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    file = head + body + struct.pack("<H", len(fields)) + directory + bytes(4)
    with Image.open(io.BytesIO(file), formats=("TIFF",)) as image:
        return image.tobytes()


def _summed_floats(data: bytes, dtype: str, shape: tuple[int, int, int]) -> Array:
    """Undo predictor 3: bytes by significance, the highest first, each the difference to the one a
    pixel before it (TIFF Technical Note 3)."""
    import numpy as np

    rows, columns, samples = shape
    size = np.dtype(dtype).itemsize
    steps = np.frombuffer(data, np.uint8, rows * columns * samples * size)
    summed = np.cumsum(steps.reshape(rows, columns * size, samples), axis=1, dtype=np.uint8)
    planes = summed.reshape(rows, size, columns * samples)
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">{dtype[1:]}")
    return values.reshape(shape)
