"""Grey pixels of 16 and 32 bits, and of floats, as 8 bits.

16 bits have an agreed white; in TIFFs cameras and microscopes also use only 12 of them. Wider
numbers and floats have none: they are mostly measurements, and their own darkest and lightest
pixels become black and white. What stands for "no data" (NaN, infinity, GDAL's tag, a number far
from all others) is black and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageChops

if TYPE_CHECKING:
    import numpy as np

_SAMPLE_FORMAT, _NO_DATA = 339, 42113  # TIFF 6.0, section 19; GDAL's tag
_UNSIGNED: Final = 1
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_TWELVE_BITS: Final = 4095
_MOST_SAMPLES: Final = 1 << 18
_LEAST_VALUES: Final = 16  # a picture with fewer has no outliers
_TAIL_PERCENT: Final = 0.5


def eight_bits(image: Image.Image) -> Image.Image:
    """An image of a mode that begins with I or F as L; as RGBA where one grey is transparent."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", None) or {}
    transparent = image.info.get("transparency")
    if not image.mode.startswith("I;16") and (tags or image.mode == "F"):
        return _measured(image, tags)
    image = image.convert("I")
    is_twelve_bits = bool(tags) and image.getextrema()[1] <= _TWELVE_BITS  # type: ignore[operator]  # one band, so two numbers
    scale = 1 / 16 if is_twelve_bits else 1 / 256
    shown = image.point(lambda value: value * scale + 0).convert("L")
    if is_white_zero(tags):
        shown = ImageChops.invert(shown)
    if isinstance(transparent, int):
        import numpy as np

        opaque = Image.fromarray((np.asarray(image) != transparent).astype(np.uint8) * 255)
        shown = Image.merge("RGBA", (shown, shown, shown, opaque))
    return shown


def is_white_zero(tags: Mapping[int, Any]) -> bool:
    """Whether a TIFF's numbers grow towards black; Pillow respects this with 8 bits only."""
    return tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _measured(image: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    import numpy as np

    values = np.asarray(image)
    if values.dtype == np.int32 and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED:
        values = values.view(np.uint32)  # Pillow has no mode for them
    return Image.fromarray(measured(values.astype(np.float64), tags))


def of_sixteen_bits(values: np.ndarray[Any, Any], tags: Mapping[int, Any]) -> np.ndarray[Any, Any]:
    """Numbers of 16 bits, of any shape, in a TIFF as 8 bits; of 12 bits if no more are used."""
    is_twelve_bits = values.max(initial=0) <= _TWELVE_BITS
    shown: np.ndarray[Any, Any] = (values >> (4 if is_twelve_bits else 8)).astype("u1")
    return 255 - shown if is_white_zero(tags) else shown


def measured(values: np.ndarray[Any, Any], tags: Mapping[int, Any]) -> np.ndarray[Any, Any]:
    """Floats of any shape as 8 bits; `tags` are the TIFF's."""
    import numpy as np

    is_data = np.isfinite(values)
    no_data = _number(tags.get(_NO_DATA))
    if no_data is not None:
        is_data &= values != no_data
    black, white = _ends(values[is_data])
    span = white - black
    with np.errstate(invalid="ignore", over="ignore"):
        is_data &= (values >= black - span) & (values <= white + span)
        grey = np.clip((values - black) * (255 / span if span else 0.0), 0, 255)
    if is_white_zero(tags):
        grey = 255 - grey
    return np.asarray(np.where(is_data, grey, 0), np.uint8)


def _ends(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The darkest and the lightest value but for outliers."""
    import numpy as np

    sample = np.unique(values[:: max(1, values.size // _MOST_SAMPLES)])
    if sample.size == 0:
        return 0.0, 0.0
    while sample.size > _LEAST_VALUES:  # one value far from all others stands for "no data"
        if sample[1] - sample[0] > sample[-1] - sample[1]:
            sample = sample[1:]
        elif sample[-1] - sample[-2] > sample[-2] - sample[0]:
            sample = sample[:-1]
        else:
            break
    inside = values[(values >= sample[0]) & (values <= sample[-1])]
    low, high = np.percentile(inside, (_TAIL_PERCENT, 100 - _TAIL_PERCENT))
    # A smooth picture keeps its ends: only what lies a whole span further is cut.
    span = high - low
    near = inside[(inside >= low - span) & (inside <= high + span)]
    return float(near.min()), float(near.max())


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
