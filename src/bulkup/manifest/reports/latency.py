"""How long attempts took, as the table `latency` counts them: in buckets, by stage."""

from __future__ import annotations

import math


def latency_bucket(seconds: float) -> int:
    """Eight buckets to each doubling, so that a percentile is right within 9 %."""
    return round(8 * math.log2(max(seconds, 0.0001) * 1000))


def bucket_ms(bucket: int) -> float:
    """The middle of a latency bucket in milliseconds."""
    return float(2 ** (bucket / 8))
