"""How good a JPEG was, by its quantisation tables (ITU-T T.81; the scaling is the IJG's)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_STANDARD_SUM: Final = 3688
"""The sum of T.81's luminance table (K.1). Sums do not depend on the order of the coefficients."""

_WORST: Final = 40
"""No variant is made worse than this, however bad its source."""

_NEAR: Final = 4.0
"""A variant at a quarter of its source's length or less has averaged the source's faults away."""


def jpeg_quality(tables: Mapping[int, Sequence[int]] | None) -> int | None:
    """1 to 100 on the IJG's scale, by the first table; None without tables."""
    luminance = (tables or {}).get(0)
    if not luminance or len(luminance) != 64:
        return None
    percent = 100 * sum(luminance) / _STANDARD_SUM
    quality = 5000 / percent if percent > 100 else (200 - percent) / 2
    return max(1, min(100, round(quality)))


def adapted_quality(wanted: int, source: int | None, *, shrunk: float) -> int:
    """The quality for a variant whose source is a JPEG of quality `source`.

    `shrunk` is how many times shorter than the source the variant is. Bits beyond the source's
    quality would only keep its faults.
    """
    if source is None or source >= wanted or shrunk >= _NEAR:
        return wanted
    return min(wanted, max(source, _WORST))
