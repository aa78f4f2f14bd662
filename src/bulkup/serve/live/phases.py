"""The three phases of a file as people read them: Uploading, Processing, Searchable. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PHASES = (("upload", "Uploading"), ("process", "Processing"), ("embed", "Searchable"))
_OPEN = ("ready", "claimed", "waiting")


class PhaseSample(NamedTuple):
    """What was done at a moment, by stage. `at` is any clock in seconds."""

    at: float
    done: Mapping[str, int]
    bytes_done: Mapping[str, int]


def sample_of(document: Mapping[str, Any], at: float) -> PhaseSample:
    """Of a status document."""
    stages = document["stages"]
    return PhaseSample(
        at,
        {stage: stages[stage]["done"] for stage, _ in PHASES},
        {stage: stages[stage]["bytes_done"] for stage, _ in PHASES},
    )


def phases(
    document: Mapping[str, Any], before: PhaseSample | None, now: PhaseSample
) -> dict[str, dict[str, Any]]:
    """For each stage: its label, how much is done, open and failed, the rate since `before`, and
    the seconds until the rest is done at this rate."""
    found = {}
    for stage, label in PHASES:
        states = document["stages"][stage]
        # What is skipped needs nothing done: the phase is complete without it.
        total = sum(states[state] for state in ("done", "dead", *_OPEN))
        left = sum(states[state] for state in _OPEN)
        rate, byte_rate = 0.0, 0.0
        if before is not None and now.at > before.at:
            seconds = now.at - before.at
            rate = max(0, now.done[stage] - before.done[stage]) / seconds
            byte_rate = max(0, now.bytes_done[stage] - before.bytes_done[stage]) / seconds
        found[stage] = {
            "label": label,
            "done": states["done"],
            "total": total,
            "failed": states["dead"],
            "waiting": states["waiting"],
            "in_progress": states["claimed"],
            "skipped": states["skipped"],
            "per_second": round(rate, 2),
            "bytes_per_second": round(byte_rate),
            "eta_seconds": round(left / rate) if rate and left else None,
        }
    return found
