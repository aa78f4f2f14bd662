"""Bytes to pixels: what Pillow opens, at the scale that is needed, within limits.

Nothing here is safe from several threads at a time: Pillow keeps its limits in module globals.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

# Importing a plugin registers it. Those left out run other programs (EPS), belong to one system
# (WMF), or are for formats that no picture folder holds; `formats=` keeps them from being loaded.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcnsImagePlugin,
    IcoImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PcxImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    PsdImagePlugin,
    QoiImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from pillow_heif import register_heif_opener

from bulkup.content.picture import exif
from bulkup.content.picture.colour import plain
from bulkup.content.picture.quality import jpeg_quality
from bulkup.content.picture.spec import PictureLimits
from bulkup.errors import PictureInvalid

register_heif_opener(thumbnails=False, decode_threads=1)  # the processes are the threads here

FORMATS: Final = (
    "HEIF",  # pillow-heif; MPO comes by JPEG
    *(
        plugin.format
        for plugin in (
            JpegImagePlugin.JpegImageFile,
            PngImagePlugin.PngImageFile,
            WebPImagePlugin.WebPImageFile,
            AvifImagePlugin.AvifImageFile,
            GifImagePlugin.GifImageFile,
            TiffImagePlugin.TiffImageFile,
            BmpImagePlugin.BmpImageFile,
            Jpeg2KImagePlugin.Jpeg2KImageFile,
            PsdImagePlugin.PsdImageFile,
            PpmImagePlugin.PpmImageFile,
            QoiImagePlugin.QoiImageFile,
            PcxImagePlugin.PcxImageFile,
            IcoImagePlugin.IcoImageFile,
            IcnsImagePlugin.IcnsImageFile,
        )
    ),
)


# What decoders raise for data that ends early or is damaged in the middle: worth a second try
# that takes what comes. ValueError is not among them: so are bombs refused.
_DAMAGE: Final = (OSError, SyntaxError, EOFError, IndexError, struct.error, zlib.error)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels as they are stored (not upright), maybe smaller than the original.

    `stored_px` is the original's width and height before `turn`, the EXIF orientation that is
    still to be applied; `orientation` is what the file says.
    """

    image: Image.Image
    stored_px: tuple[int, int]
    format: str
    turn: int
    orientation: int
    quality: int | None  # of a JPEG, as far as its tables tell
    is_truncated: bool = False


def decode(file: BinaryIO, *, size_px: int, limits: PictureLimits) -> Decoded:
    """The first frame, loaded, at least `size_px` long on its longer side if the original is.

    What is damaged is decoded as far as it goes, and marked; a picture of which hardly more than
    one flat colour came out counts as not decoded. Raises PictureInvalid with the decoder's reason,
    or MemoryError.
    """
    try:
        return _decoded(file, size_px, limits)
    except PictureInvalid:
        raise
    except _DAMAGE as error:
        _raise_memory(error)
        reason = reason_of(error)
    except MemoryError:
        raise
    except Exception as error:  # plugins raise whatever a broken file leads to
        raise PictureInvalid(reason_of(error)) from error
    with _taking_what_comes():
        try:
            decoded = _decoded(file, size_px, limits)
            shows_nothing = _is_flat(decoded.image)
        except (PictureInvalid, MemoryError):
            raise
        except Exception as error:  # the same; the first reason is the better
            raise PictureInvalid(reason) from error
    if shows_nothing:
        raise PictureInvalid(reason)
    return Decoded(
        decoded.image,
        decoded.stored_px,
        decoded.format,
        decoded.turn,
        decoded.orientation,
        decoded.quality,
        is_truncated=True,
    )


def check_pixels(size: tuple[int, int], limits: PictureLimits) -> None:
    """Raise PictureInvalid when the picture claims more pixels than are allowed, or none."""
    width, height = size
    if width < 1 or height < 1:
        raise PictureInvalid(f"a picture of {width}x{height} pixels")
    if width * height > limits.pixels:
        raise PictureInvalid(
            f"{width}x{height} pixels are {width * height / 1e6:.0f} megapixels;"
            f" {limits.pixels / 1e6:.0f} are allowed"
        )


def fitted(size: tuple[int, int], size_px: int) -> tuple[int, int]:
    """The largest size of the same shape that fits a square of `size_px`; never larger."""
    scale = min(1.0, size_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def reason_of(error: BaseException) -> str:
    """The decoder's words on one line, without addresses of objects in memory."""
    if isinstance(error, UnidentifiedImageError):
        return "cannot identify image file"
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__


def _decoded(file: BinaryIO, size_px: int, limits: PictureLimits) -> Decoded:
    # Pillow refuses twice this number while it reads the header, and where a size turns up later.
    Image.MAX_IMAGE_PIXELS = limits.pixels
    file.seek(0)
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureInvalid(f"decompression bomb: {reason_of(error)}") from error
    check_pixels(image.size, limits)
    stored, kind = image.size, image.format or "?"
    # A TIFF is turned upright while it is loaded, and then forgets how it lay.
    orientation = exif.orientation(image.getexif()) if kind == "TIFF" else None
    quality = None
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        quality = jpeg_quality(image.quantization)
        image.draft(None, fitted(stored, size_px))
    image.load()
    turn = exif.orientation(exif.tags_of(image))
    if orientation is None:
        orientation = image.info.get("original_orientation") or turn
    return Decoded(image, stored, _NAMES.get(kind, kind), turn, orientation, quality)


_NAMES: Final = {"MPO": "JPEG", "DIB": "BMP"}


def _raise_memory(error: BaseException) -> None:
    """libtiff and Pillow's codecs tell of refused memory in words only."""
    if "out of memory" in str(error).lower() or "not allocate" in str(error).lower():
        raise MemoryError(str(error)) from error


_FLAT_LEVELS: Final = 16
"""Of 256: what decoders fill the missing part with is one colour, and nearly one at its edge."""

_FLAT_SHARE: Final = 0.99
"""A picture of which less than the hundredth part came out shows nothing to anybody."""


@contextmanager
def _taking_what_comes() -> Iterator[None]:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _is_flat(image: Image.Image) -> bool:
    """Nearly all of the picture is of one lightness."""
    small = plain(image).resize((32, 32), Image.Resampling.BOX).getchannel(0)
    counts = small.histogram()
    most = max(sum(counts[level : level + _FLAT_LEVELS]) for level in range(256))
    return most >= _FLAT_SHARE * 32 * 32
