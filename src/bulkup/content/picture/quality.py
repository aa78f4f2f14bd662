"""The quality of a JPEG, by its quantisation tables (ITU-T T.81; the scale is the IJG's)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_STANDARD_SUM: Final = 3688
"""The sum of T.81's luminance table (K.1). Sums do not depend on the order of the coefficients."""

_WORST: Final = 40
"""The least quality of a variant, however bad its source is."""

_NEAR: Final = 4.0
"""At a quarter of the source's length or less, the source's artefacts are averaged away."""


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

    `shrunk` is the ratio of the source's length to the variant's. More bits than the source had
    would only keep its artefacts.
    """
    if source is None or source >= wanted or shrunk >= _NEAR:
        return wanted
    return min(wanted, max(source, _WORST))
