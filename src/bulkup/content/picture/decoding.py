"""Bytes to pixels by Pillow, at the scale that is needed, within limits.

Not thread-safe: Pillow keeps its limits in module globals.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

# Importing a plugin registers it. The others run other programs (EPS), belong to one system (WMF),
# or are for formats that no picture folder contains; `formats=` keeps them from being loaded.
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

from bulkup.content.picture import psd
from bulkup.content.picture.colour.declared import (
    ColourSpace,
    of_code_points,
    of_info,
    of_png,
    of_profile,
)
from bulkup.content.picture.colour.srgb import plain
from bulkup.content.picture.colour.transparency import scale_transparent_colour
from bulkup.content.picture.facts import exif
from bulkup.content.picture.isobmff import (
    PrimaryItem,
    jpeg_2000_profile,
    primary_item,
    with_known_brand,
)
from bulkup.content.picture.quality import jpeg_quality
from bulkup.content.picture.spec import PictureLimits
from bulkup.content.picture.tiff import WideTiff, is_misread, wide_tiff
from bulkup.errors import PictureInvalid

PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # XMP of retouched pictures; all texts have 64 MiB
register_heif_opener(thumbnails=False, decode_threads=1)  # each worker uses one core

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


_BOMB: Final = re.compile(r"\((\d+) pixels\) exceeds limit of (\d+) ")  # Pillow's words

# What decoders raise for data that ends early or is damaged in the middle: worth a second try
# that keeps what can be decoded. Not ValueError, which refuses bombs.
_DAMAGE: Final = (OSError, SyntaxError, EOFError, IndexError, struct.error, zlib.error)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels as they are stored (not upright), perhaps smaller than the original.

    `stored_px` is the original's width and height before `turn`, the EXIF orientation that is
    still to be applied; `orientation` is what the file says. `source` has the metadata.
    """

    image: Image.Image
    source: Image.Image
    space: ColourSpace
    stored_px: tuple[int, int]
    format: str
    turn: int
    orientation: int
    quality: int | None = None  # of a JPEG, by its tables
    is_truncated: bool = False


def decode(file: BinaryIO, *, size_px: int, limits: PictureLimits) -> Decoded:
    """The first frame, loaded, with a longer side of at least `size_px` if the original has it.

    A damaged picture is decoded as far as possible, and marked. If hardly more than one flat
    colour comes out, it counts as not decoded. Raises PictureInvalid with the decoder's reason, or
    MemoryError.
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
    except Exception as error:  # plugins raise anything for broken files
        raise PictureInvalid(reason_of(error)) from error
    with _truncated_images_loaded():
        try:
            decoded = _decoded(file, size_px, limits)
            shows_nothing = _is_flat(decoded.image)
        except (PictureInvalid, MemoryError):
            raise
        except Exception as error:  # as above; the first reason is better
            raise PictureInvalid(reason) from error
    if shows_nothing:
        raise PictureInvalid(reason)
    return replace(decoded, is_truncated=True)


def open_image(file: BinaryIO) -> Image.Image:
    """The picture with its metadata, whatever its size, and no pixel decoded.

    Raises whatever Pillow raises.
    """
    with _pixels_limited(None):
        return Image.open(with_known_brand(file), formats=FORMATS)


def fitted(size: tuple[int, int], size_px: int) -> tuple[int, int]:
    """The largest size of the same shape that fits a square of `size_px`; never larger."""
    scale = min(1.0, size_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def reason_of(error: BaseException) -> str:
    """The decoder's message on one line."""
    if isinstance(error, UnidentifiedImageError):
        return "cannot identify image file"
    text = " ".join(str(error).split())
    if isinstance(error, Image.DecompressionBombError) and (found := _BOMB.search(text)):
        pixels, twice_allowed = map(int, found.groups())
        return f"{pixels / 1e6:.0f} megapixels; {twice_allowed / 2e6:.0f} are allowed"
    return text[:300] or type(error).__name__


def _decoded(file: BinaryIO, size_px: int, limits: PictureLimits) -> Decoded:
    with _pixels_limited(limits.pixels):
        return _loaded(file, size_px, limits)


def _loaded(file: BinaryIO, size_px: int, limits: PictureLimits) -> Decoded:
    file.seek(0)
    try:
        image = Image.open(with_known_brand(file), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureInvalid(f"decompression bomb: {reason_of(error)}") from error
    except UnidentifiedImageError:
        if (wide := wide_tiff(file)) is None:
            raise
        return _of_wide_tiff(wide, None, limits)
    limits.check(image.size)
    if is_misread(image) and (wide := wide_tiff(file)) is not None:
        return _of_wide_tiff(wide, image, limits)
    kind = image.format or "?"
    # A TIFF is turned upright while it is loaded, and then forgets its orientation.
    orientation = exif.orientation(image.getexif()) if kind == "TIFF" else None
    stored, quality = image.size, None
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        quality = jpeg_quality(image.quantization)
        image.draft(None, fitted(stored, size_px))
    elif kind == "PNG":
        scale_transparent_colour(image)
    image.load()
    decoded = Decoded(
        image=image,
        source=image,
        space=of_info(image.info, exif.tags_of(image)),
        stored_px=stored,
        format=_NAMES.get(kind, kind),
        turn=exif.orientation(exif.tags_of(image)),
        orientation=orientation or exif.orientation(exif.tags_of(image)),
        quality=quality,
    )
    return _completed(decoded, file)


def _completed(decoded: Decoded, file: BinaryIO) -> Decoded:
    """With what the file says and Pillow's plugin leaves out."""
    kind = decoded.source.format
    if kind in ("AVIF", "HEIF"):
        return _as_displayed(decoded, primary_item(file))
    if kind == "PNG" and (space := of_png(file)) is not None:
        return replace(decoded, space=space, image=space.in_full_range(decoded.image))
    if kind == "JPEG2000" and (profile := jpeg_2000_profile(file)):
        return replace(decoded, space=of_profile(profile))
    if kind == "PSD" and (composite := psd.with_extra_channels(file)) is not None:
        return replace(decoded, image=composite)
    return decoded


def _of_wide_tiff(wide: WideTiff, source: Image.Image | None, limits: PictureLimits) -> Decoded:
    """`source` is the file as Pillow opened it, for its metadata."""
    limits.check(wide.size)
    shown, turn = wide.read(), wide.orientation
    space = of_profile(wide.profile) if wide.profile else ColourSpace()
    return Decoded(shown, source or shown, space, wide.size, "TIFF", turn, turn)


_NAMES: Final = {"MPO": "JPEG", "DIB": "BMP"}
_MIAF: Final = b"miaf"
"""The brand of files whose readers turn by `irot` and `imir` only (ISO/IEC 23000-22)."""


def _as_displayed(decoded: Decoded, item: PrimaryItem) -> Decoded:
    """A HEIF or AVIF picture with the properties that its decoder leaves to the caller."""
    if decoded.format == "AVIF":  # libavif reports turns as EXIF's orientation, and does not crop
        if item.nclx is not None and not decoded.image.info.get("icc_profile"):
            decoded = replace(decoded, space=of_code_points(*item.nclx))
        if item.crop is not None:
            cropped = decoded.image.crop(item.crop)
            decoded = replace(decoded, image=cropped, stored_px=cropped.size)
        return decoded
    if item.turn is not None:  # libheif has turned it, whatever EXIF says
        return replace(decoded, orientation=item.turn)
    said = decoded.image.info.get("original_orientation") or decoded.turn
    # By the standard EXIF's orientation is information only. But camera apps that write no turn
    # mean it, and Apple's software applies it where the brand does not promise otherwise.
    turn = 1 if _MIAF in item.brands else said
    return replace(decoded, turn=turn, orientation=turn)


def _raise_memory(error: BaseException) -> None:
    """libtiff and Pillow's codecs report refused memory in their message only."""
    if "out of memory" in str(error).lower() or "not allocate" in str(error).lower():
        raise MemoryError(str(error)) from error


_FLAT_LEVELS: Final = 16
"""Of 256: decoders fill the missing part with one colour, nearly the same at its edge."""

_FLAT_SHARE: Final = 0.99
"""With less than a hundredth of the picture decoded, nothing can be recognised."""


@contextmanager
def _pixels_limited(most: int | None) -> Iterator[None]:
    """Pillow refuses twice this number while it reads the header, and sizes that appear later."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = most
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _truncated_images_loaded() -> Iterator[None]:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _is_flat(image: Image.Image) -> bool:
    """Whether nearly all of the picture has one lightness."""
    small = plain(image).resize((32, 32), Image.Resampling.BOX).getchannel(0)
    counts = small.histogram()
    most = max(sum(counts[level : level + _FLAT_LEVELS]) for level in range(256))
    return most >= _FLAT_SHARE * 32 * 32
