"""The colour space that a file names: by an ICC profile, by code points, or by its PNG chunks."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Final, NamedTuple

from PIL import Image

from bulkup.content.picture.colour.profiles import (
    ADOBE_RGB,
    LINEAR,
    PRIMARIES,
    SRGB_CURVE,
    matrix_profile,
)
from bulkup.content.picture.facts.exif import is_adobe_rgb

# Code points for transfer characteristics (ITU-T H.273, table 3).
PQ, HLG = 16, 18
_LINEAR: Final = 8
_GAMMAS: Final = {4: 2.2, 5: 2.8, 17: 2.6}
_SRGB_PRIMARIES: Final = 1

_PNG_SIGNATURE_BYTES: Final = 8
_PNG_CHUNKS: Final = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
_SRGB_GAMMA: Final = 1 / 2.2  # what sRGB pictures write into gAMA
_MOST_CHUNKS: Final = 10_000


class ColourSpace(NamedTuple):
    """Where pixels' numbers get their meaning: `profile`, or `hdr` for a high dynamic range.

    Both None: sRGB. `hdr` is PQ or HLG, `primaries` its code point (H.273, table 2). `is_narrow`:
    black is 16 and white 235.
    """

    profile: bytes | None = None
    hdr: int | None = None
    primaries: int = _SRGB_PRIMARIES
    is_narrow: bool = False

    def in_full_range(self, image: Image.Image) -> Image.Image:
        """The picture with black at 0 and white at 255."""
        if not self.is_narrow:
            return image
        if image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        if image.mode not in ("L", "LA", "RGB", "RGBA"):
            return image
        stretched = [min(255, max(0, round((x - 16) * 255 / 219))) for x in range(256)]
        has_alpha = image.mode.endswith("A")
        bands = len(image.getbands()) - has_alpha
        return image.point(stretched * bands + [*range(256)] * has_alpha)


def of_code_points(primaries: int, transfer: int) -> ColourSpace:
    """The space of two code points of H.273; what is unspecified or unknown counts as sRGB's.

    The curves of BT.709 and BT.601 are those of cameras; pictures are shown by sRGB's.
    """
    if primaries not in PRIMARIES:
        primaries = _SRGB_PRIMARIES
    if transfer in (PQ, HLG):
        return ColourSpace(hdr=transfer, primaries=primaries)
    curve = _GAMMAS.get(transfer, LINEAR if transfer == _LINEAR else SRGB_CURVE)
    if primaries == _SRGB_PRIMARIES and curve == SRGB_CURVE:
        return ColourSpace()
    return ColourSpace(_profile(PRIMARIES[primaries], curve))


def of_profile(profile: bytes) -> ColourSpace:
    """The space of an ICC profile; PQ and HLG are in its `cicp` tag (ICC.1:2022, 9.2.17)."""
    points = _cicp_tag(profile)
    if points is not None and points[1] in (PQ, HLG):
        return of_code_points(*points)
    return ColourSpace(profile)


def of_info(info: Mapping[Any, Any], tags: Any) -> ColourSpace:
    """The space by what Pillow and its plugins say of a picture, and by its EXIF tags."""
    nclx = info.get("nclx_profile")
    points = None
    if isinstance(nclx, Mapping):
        points = int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])
        if points[1] in (PQ, HLG):  # a profile beside it describes the coding, not the light
            return of_code_points(*points)
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        return of_profile(profile)
    if points is not None:
        return of_code_points(*points)
    return ColourSpace(_profile(*ADOBE_RGB)) if is_adobe_rgb(tags) else ColourSpace()


def of_png(file: BinaryIO) -> ColourSpace | None:
    """The space by the chunks of a PNG, in the order of the PNG specification (third edition, 4.3).

    None when an ICC profile counts, or when nothing is said.
    """
    chunks = _png_chunks(file)
    if len(cicp := chunks.get(b"cICP", b"")) == 4:
        return of_code_points(cicp[0], cicp[1])._replace(is_narrow=cicp[3] == 0)
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma = chunks.get(b"gAMA", b"")
    white_and_primaries = chunks.get(b"cHRM", b"")
    primaries = PRIMARIES[_SRGB_PRIMARIES]
    if len(white_and_primaries) == 32:
        white, *others = (
            (x / 100_000, y / 100_000) for x, y in struct.iter_unpack(">II", white_and_primaries)
        )
        primaries = (*others, white)
    exponent = struct.unpack(">I", gamma)[0] / 100_000 if len(gamma) == 4 else _SRGB_GAMMA
    if not 0.1 < exponent < 10:
        return None
    curve = SRGB_CURVE if abs(exponent - _SRGB_GAMMA) < 0.005 else 1 / exponent
    if curve == SRGB_CURVE and _is_srgb(primaries):
        return None
    try:
        return ColourSpace(_profile(primaries, curve))
    except ZeroDivisionError:  # primaries on a line
        return None


def _is_srgb(primaries: tuple[tuple[float, float], ...]) -> bool:
    pairs = zip(primaries, PRIMARIES[_SRGB_PRIMARIES], strict=True)
    return all(abs(a - b) < 0.002 for one, other in pairs for a, b in zip(one, other, strict=True))


def _png_chunks(file: BinaryIO) -> dict[bytes, bytes]:
    """The chunks about colour; they stand before the pixels."""
    found: dict[bytes, bytes] = {}
    file.seek(_PNG_SIGNATURE_BYTES)
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        size, kind = struct.unpack(">I4s", head)
        if kind in (b"IDAT", b"IEND"):
            break
        if kind in _PNG_CHUNKS:
            found[kind] = file.read(min(size, 64))
            size -= len(found[kind])
        file.seek(size + 4, 1)
    return found


def _cicp_tag(profile: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of the tag `cicp`: a signature, four reserved bytes, four numbers."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for at in range(132, 132 + 12 * min(count, 100), 12):
            name, offset, size = struct.unpack_from(">4sII", profile, at)
            if name == b"cicp" and size >= 12:
                primaries, transfer = struct.unpack_from("BB", profile, offset + 8)
                return primaries, transfer
    except struct.error:
        pass
    return None


@lru_cache(maxsize=32)
def _profile(primaries: tuple[tuple[float, float], ...], curve: float) -> bytes:
    return matrix_profile(primaries, curve)
