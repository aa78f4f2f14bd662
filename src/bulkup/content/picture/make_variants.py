"""One picture, all of its variants and its metadata, out of one decode."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Final

from PIL import Image, UnidentifiedImageError

from bulkup.content.extensions import MEDIA_TYPES, RAW_TYPES, SIDECAR_TYPES
from bulkup.content.media import HEAD_BYTES, extension, media_type
from bulkup.content.picture import exif, raw, video
from bulkup.content.picture.colour import adobe_rgb
from bulkup.content.picture.decoding import Decoded, decode, reason_of
from bulkup.content.picture.dhash import perceptual_hash
from bulkup.content.picture.encoding import variants_of
from bulkup.content.picture.spec import LIMITS, VARIANTS, PictureLimits, VariantSpec
from bulkup.content.picture.types import Metadata, Picture, Skipped, with_sidecar
from bulkup.content.picture.xmp import read_xmp
from bulkup.errors import PictureInvalid

_RAW_KINDS: Final = frozenset(RAW_TYPES.values())
_VIDEO_KINDS: Final = ("video/", "application/mxf")
_NO_PIXELS: Final = {
    "image/svg+xml": "a drawing, not a picture",
    "image/jxl": "no decoder for JPEG XL",
    "image/x-xcf": "no decoder for XCF",
    "image/jxr": "no decoder for JPEG XR",
    "image/x-exr": "no decoder for OpenEXR",
    "image/vnd.radiance": "no decoder for Radiance HDR",
    "image/vnd.ms-dds": "a texture, not a picture",
}

Source = BinaryIO | bytes | str | os.PathLike[str]


def make_variants(
    source: Source,
    wanted: Sequence[VariantSpec] = VARIANTS,
    *,
    name: str = "",
    limits: PictureLimits = LIMITS,
) -> Picture | Skipped:
    """The variants of the picture in `source`, and what it says of itself.

    `source` is a path, the bytes, or an open file that can be sought; `name` is what the file is
    called, and helps only where bytes do not tell (raw formats). Skipped is what is no picture, or
    needs an extra that is not installed. Raises PictureInvalid for a picture that is broken or
    over a limit, MemoryError, and OSError for a path that cannot be opened. Not for several
    threads at a time.
    """
    with _opened(source) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of broken EXIF and the like; what matters is raised
        size_bytes = file.seek(0, io.SEEK_END)
        if size_bytes == 0:
            return Skipped("empty file")
        file.seek(0)
        head = file.read(HEAD_BYTES)
        kind = media_type(name, head)
        if kind.startswith(_VIDEO_KINDS):  # of whatever size: one frame is read, not the file
            return _of_video(file, wanted, kind, limits)
        reason = _why_no_picture(kind, name)
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
    """The first bytes are those of a picture. A name alone makes none."""
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
    return _made(decoded, wanted, exif.tags_of(decoded.image))


def _of_raw(
    file: BinaryIO, wanted: Sequence[VariantSpec], kind: str, limits: PictureLimits
) -> Picture | Skipped:
    """By the embedded preview; a raw file that Pillow reads as a TIFF (linear DNG) by itself."""
    preview = raw.preview_of(file)
    try:
        inner = io.BytesIO(preview) if preview else file
        decoded = decode(inner, size_px=_largest(wanted), limits=limits)
    except PictureInvalid:
        if preview or raw.has_libraw():
            raise
        return Skipped("a raw picture without a preview that is simple to find: bulkup[raw]")
    tags, orientation = raw.orientation_of(file)
    if preview and decoded.turn == 1:  # many previews lie as the sensor does, and do not say so
        decoded = replace(decoded, turn=orientation, orientation=orientation)
    name = kind.rpartition("-")[2].upper()
    main = tags if len(tags) else exif.tags_of(decoded.image)
    return _made(replace(decoded, format=name), wanted, main)


def _of_video(
    file: BinaryIO, wanted: Sequence[VariantSpec], kind: str, limits: PictureLimits
) -> Picture | Skipped:
    if not video.has_pyav():
        return Skipped("a video: its thumbnail needs bulkup[video]")
    frame, turn = video.frame_of(file, limits)
    name = kind.rpartition("/")[2].removeprefix("x-").upper()
    decoded = Decoded(frame, frame.size, name, turn, turn, None)
    return _made(decoded, wanted, Image.Exif())


def _made(decoded: Decoded, wanted: Sequence[VariantSpec], main: Image.Exif) -> Picture:
    info = decoded.image.info
    profile = info.get("icc_profile")
    if not profile and exif.is_adobe_rgb(main):
        profile = adobe_rgb()
    metadata = replace(_metadata(decoded, main), is_truncated=decoded.is_truncated)
    metadata = _with_packet(metadata, info)
    try:
        variants, smallest = variants_of(decoded, wanted, profile)
        bits = perceptual_hash(smallest)
    except MemoryError:
        raise
    except Exception as error:  # Pillow asserts what broken files do not keep: a palette, say
        raise PictureInvalid(f"decoded, but not to be shown: {reason_of(error)}") from error
    return Picture(variants, replace(metadata, perceptual_hash=bits))


def _metadata(decoded: Decoded, main: Image.Exif) -> Metadata:
    width, height = decoded.stored_px
    if decoded.turn >= 5:
        width, height = height, width
    tags, gps = exif.directories(main)
    return Metadata(
        width_px=width,
        height_px=height,
        format=decoded.format,
        orientation=decoded.orientation,
        taken_at=exif.taken_at(main, tags),
        camera=exif.camera(main),
        lens=exif.lens(tags),
        exposure=exif.exposure(tags),
        place=exif.place(gps),
    )


def _with_packet(metadata: Metadata, info: dict[Any, Any]) -> Metadata:
    """`metadata`, completed by the picture's own XMP where EXIF is silent."""
    packet = info.get("xmp")
    if not isinstance(packet, bytes) or (metadata.taken_at and metadata.place):
        return metadata
    try:
        said = read_xmp(packet)
    except PictureInvalid:  # broken XMP is no reason to refuse sound pixels
        return metadata
    completed = with_sidecar(metadata, said)
    return replace(
        metadata,
        taken_at=metadata.taken_at or completed.taken_at,
        place=metadata.place or completed.place,
    )


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
