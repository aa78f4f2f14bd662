"""High dynamic range (ITU-R BT.2100) as sRGB.

Diffuse white is 203 cd/m² for PQ, and 75 % of the signal for HLG (ITU-R BT.2408-7, 2.2). Up to
90 % of it light is kept as it is. What is brighter is compressed smoothly, by the largest of the
three components, which keeps hues (ITU-R BT.2390-11, 5.4). sRGB has no room above white: a curve
that kept more of the highlights would make everything else grey.

HLG describes the light of the scene; its system gamma depends on the display, and is 1.0 at the
330 cd/m² of an ordinary screen (BT.2100-2, table 5, note 5f).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from bulkup.content.picture.colour.profiles import PRIMARIES, inverse, multiplied, rgb_to_xyz

if TYPE_CHECKING:
    import numpy as np

_PQ: Final = 16
_WHITE_NITS: Final = 203.0
_PQ_NITS: Final = 10_000.0
_HLG_WHITE: Final = 0.75
_KNEE: Final = 0.9  # of white
_SRGB: Final = 1
_LEVELS: Final = 4096


def to_sdr(image: Image.Image, transfer: int, primaries: int) -> Image.Image:
    """An RGB or RGBA image with the transfer PQ (16) or HLG (18) as RGB or RGBA in sRGB."""
    import numpy as np

    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    codes = np.asarray(image.convert("RGB"))
    light = _light(transfer)[codes]
    if primaries != _SRGB:
        light = light @ _to_srgb_primaries(primaries).T
    light = _rolled_off(np.maximum(light, 0))
    encoded = _srgb_levels()[np.minimum(light * (_LEVELS - 1) + 0.5, _LEVELS - 1).astype(np.int32)]
    shown = Image.fromarray(encoded)
    if alpha is not None:
        shown.putalpha(alpha)
    return shown


def _rolled_off(light: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Light relative to white, with everything above the knee pressed below white."""
    import numpy as np

    peak = light.max(axis=2, keepdims=True)
    most = float(peak.max(initial=0.0))
    if most <= 1.0:
        return light
    room = 1 - _KNEE
    above, reach = np.maximum(peak - _KNEE, 0) / room, (most - _KNEE) / room
    # Reinhard's extended curve: slope 1 at the knee, 1 at the brightest pixel.
    pressed = _KNEE + room * above * (1 + above / reach**2) / (1 + above)
    scale: np.ndarray[Any, Any] = np.where(peak > _KNEE, pressed / np.maximum(peak, 1e-6), 1)
    kept: np.ndarray[Any, Any] = light * scale.astype(np.float32)
    return kept


@lru_cache(maxsize=2)
def _light(transfer: int) -> np.ndarray[Any, Any]:
    """Light relative to white, of 256 codes and of HLG's white."""
    import numpy as np

    code = np.append(np.arange(256) / 255, _HLG_WHITE)
    if transfer == _PQ:  # SMPTE ST 2084, 5.1
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = code ** (1 / m2)
        light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        return np.asarray(light * _PQ_NITS / _WHITE_NITS, np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # BT.2100-2, table 5
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return np.asarray(scene / scene[-1], np.float32)


@lru_cache(maxsize=8)
def _to_srgb_primaries(primaries: int) -> np.ndarray[Any, Any]:
    import numpy as np

    to_xyz = rgb_to_xyz(PRIMARIES[primaries])
    return np.asarray(multiplied(inverse(rgb_to_xyz(PRIMARIES[_SRGB])), to_xyz), np.float32)


@lru_cache(maxsize=1)
def _srgb_levels() -> np.ndarray[Any, Any]:
    """The 8-bit sRGB value of each of `_LEVELS` steps of light."""
    import numpy as np

    light = np.arange(_LEVELS) / (_LEVELS - 1)
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(value * 255 + 0.5, np.uint8)
