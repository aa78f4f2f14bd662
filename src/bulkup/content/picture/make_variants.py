"""All variants of a picture and its metadata, from one decode."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, Final

from PIL import UnidentifiedImageError

from bulkup.content.extensions import MEDIA_TYPES, RAW_TYPES, SIDECAR_TYPES
from bulkup.content.media import HEAD_BYTES, extension, media_type
from bulkup.content.picture import psd, raw, video
from bulkup.content.picture.decoding import Decoded, decode, reason_of
from bulkup.content.picture.dhash import perceptual_hash
from bulkup.content.picture.encoding import variants_of
from bulkup.content.picture.facts import exif
from bulkup.content.picture.facts.embedded import Blocks, of_tags
from bulkup.content.picture.facts.merge import merged
from bulkup.content.picture.spec import LIMITS, VARIANTS, PictureLimits, VariantSpec
from bulkup.content.picture.types import Metadata, Picture, PictureFacts, Skipped
from bulkup.errors import PictureInvalid

_RAW_KINDS: Final = frozenset(RAW_TYPES.values())
_VIDEO_KINDS: Final = ("video/", "application/mxf")
_PHOTOSHOP: Final = "image/vnd.adobe.photoshop"
_TURNED_BY_DECODERS: Final = ("HEIF", "AVIF", "TIFF")
_NO_PIXELS: Final = {
    "image/svg+xml": "a drawing, not a picture",
    "image/jxl": "no decoder for JPEG XL",
    "image/x-xcf": "no decoder for XCF",
    "image/jxr": "no decoder for JPEG XR",
    "image/x-exr": "no decoder for OpenEXR",
    "image/vnd.radiance": "no decoder for Radiance HDR",
    "image/vnd.ms-dds": "a texture, not a picture",
    "image/x-tga": "no decoder for TGA",
    "image/x-dpx": "no decoder for DPX",
}

Source = BinaryIO | bytes | str | os.PathLike[str]


def make_variants(
    source: Source,
    wanted: Sequence[VariantSpec] = VARIANTS,
    *,
    name: str = "",
    limits: PictureLimits = LIMITS,
) -> Picture | Skipped:
    """The variants of the picture in `source`, and its metadata.

    `source` is a path, the bytes, or a seekable file; `name` is the file's name, for formats that
    their bytes do not distinguish (raw formats). Skipped is returned for what is no picture, for
    formats without a decoder, and where an extra is not installed. Raises PictureInvalid for a
    picture that is broken or over a limit, MemoryError, and OSError for a path that cannot be
    opened. Not thread-safe.
    """
    with _opened(source) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about broken EXIF and the like; errors are raised
        size_bytes = file.seek(0, io.SEEK_END)
        if size_bytes == 0:
            return Skipped("empty file")
        file.seek(0)
        head = file.read(HEAD_BYTES)
        kind = media_type(name, head)
        if kind.startswith(_VIDEO_KINDS):  # of any size: only one frame is read
            return _of_video(file, wanted, kind, limits)
        reason = _why_no_picture(kind, name)
        if reason is None and kind == _PHOTOSHOP:
            reason = psd.why_unreadable(head)
        if reason is not None:
            return Skipped(reason)
        if size_bytes > limits.file_bytes:
            raise PictureInvalid(f"{size_bytes} bytes; {limits.file_bytes} are allowed")
        if kind in _RAW_KINDS:
            return _of_raw(file, wanted, kind, limits)
        try:
            return _of_picture(file, wanted, limits)
        except PictureInvalid as error:
            if isinstance(error.__cause__, UnidentifiedImageError) and not _is_signed(head):
                return Skipped(f"named .{extension(name)}, but its bytes are no picture")
            raise


def _is_signed(head: bytes) -> bool:
    """Whether the first bytes are those of a picture."""
    return media_type("", head).startswith("image/")


def _why_no_picture(kind: str, name: str) -> str | None:
    if kind in SIDECAR_TYPES.values():
        return "a sidecar, not a picture"
    if kind in _NO_PIXELS:
        return _NO_PIXELS[kind]
    if kind.startswith("image/") or extension(name) in MEDIA_TYPES:
        return None
    return f"not a picture ({kind})"


def _of_picture(file: BinaryIO, wanted: Sequence[VariantSpec], limits: PictureLimits) -> Picture:
    decoded = decode(file, size_px=_largest(wanted), limits=limits)
    blocks = Blocks(decoded.source, file)
    if decoded.format not in _TURNED_BY_DECODERS:  # else also by blocks that Pillow leaves
        orientation = blocks.orientation()
        decoded = replace(decoded, turn=orientation, orientation=orientation)
    return _made(decoded, wanted, blocks.facts())


def _of_raw(
    file: BinaryIO, wanted: Sequence[VariantSpec], kind: str, limits: PictureLimits
) -> Picture | Skipped:
    """By the embedded preview; a raw file that Pillow reads as a TIFF (linear DNG) by itself."""
    found = raw.read_raw(file)
    try:
        inner = io.BytesIO(found.preview) if found.preview else file
        decoded = decode(inner, size_px=_largest(wanted), limits=limits)
    except PictureInvalid:
        if found.preview or raw.has_libraw():
            raise
        return Skipped("a raw picture without a preview that is simple to find: bulkup[raw]")
    facts = Blocks(decoded.source, inner).facts()
    if len(found.tags):
        facts = merged((of_tags(found.tags), facts))
    size_px = None
    if found.preview:
        tags = exif.tags_of(decoded.source)
        turn = raw.turn_of_preview(found, file, decoded.stored_px, tags)
        orientation = found.orientation if found.orientation != 1 else decoded.orientation
        if found.size_px is not None:
            size_px = _upright(found.size_px, orientation)
        decoded = replace(decoded, turn=turn, orientation=orientation)
    name = kind.rpartition("-")[2].upper()
    return _made(replace(decoded, format=name), wanted, facts, size_px)


def _of_video(
    file: BinaryIO, wanted: Sequence[VariantSpec], kind: str, limits: PictureLimits
) -> Picture | Skipped:
    if not video.has_pyav():
        return Skipped("a video: its thumbnail needs bulkup[video]")
    frame = video.frame_of(file, limits)
    name = kind.rpartition("/")[2].removeprefix("x-").upper()
    image = frame.image
    decoded = Decoded(image, image, frame.space, image.size, name, frame.turn, frame.turn)
    return _made(decoded, wanted, frame.facts)


def _made(
    decoded: Decoded,
    wanted: Sequence[VariantSpec],
    facts: PictureFacts,
    size_px: tuple[int, int] | None = None,
) -> Picture:
    """The variants and the metadata; `size_px` is the upright size where it is not the pixels'."""
    try:
        variants, smallest = variants_of(decoded, wanted)
        bits = perceptual_hash(smallest)
    except MemoryError:
        raise
    except Exception as error:  # Pillow asserts what broken files do not keep, such as a palette
        raise PictureInvalid(f"decoded, but not to be shown: {reason_of(error)}") from error
    width, height = size_px or _upright(decoded.stored_px, decoded.turn)
    metadata = Metadata(
        width_px=width,
        height_px=height,
        format=decoded.format,
        orientation=decoded.orientation,
        facts=facts,
        perceptual_hash=bits,
        is_truncated=decoded.is_truncated,
    )
    return Picture(variants, metadata)


def _upright(size_px: tuple[int, int], orientation: int) -> tuple[int, int]:
    width, height = size_px
    return (height, width) if orientation >= 5 else (width, height)


def _largest(wanted: Sequence[VariantSpec]) -> int:
    return max(spec.size_px for spec in wanted)


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file
    else:
        yield source
