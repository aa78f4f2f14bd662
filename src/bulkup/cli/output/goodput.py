"""How fast a stage moves, and when it ends. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bulkup.model import StageCount

_MEMORY_SECONDS = 15.0  # steadies the ETA, and follows the adaptive window


class Goodput(NamedTuple):
    """Bytes and files per second that are done, weighted towards the latest seconds.

    An exponentially weighted mean over time: a span `_MEMORY_SECONDS` back weighs 1/e of the last.
    It is unbiased from the first span on (the weights are divided by their sum).
    """

    done_bytes: int = 0
    done_files: int = 0
    at_seconds: float = 0.0
    weighted_bytes: float = 0.0
    weighted_files: float = 0.0
    weight: float = 0.0

    def after(self, done_bytes: int, done_files: int, at_seconds: float) -> Goodput:
        """The goodput including the time up to now; unchanged if no time has passed."""
        span_seconds = at_seconds - self.at_seconds
        if span_seconds <= 0:
            return self
        kept = math.exp(-span_seconds / _MEMORY_SECONDS)
        share = (1 - kept) / span_seconds
        return Goodput(
            done_bytes=done_bytes,
            done_files=done_files,
            at_seconds=at_seconds,
            weighted_bytes=kept * self.weighted_bytes + share * (done_bytes - self.done_bytes),
            weighted_files=kept * self.weighted_files + share * (done_files - self.done_files),
            weight=kept * self.weight + (1 - kept),
        )

    @property
    def bytes_per_second(self) -> float:
        return self.weighted_bytes / self.weight if self.weight else 0.0

    @property
    def files_per_second(self) -> float:
        return self.weighted_files / self.weight if self.weight else 0.0


class Speed(NamedTuple):
    """A stage's goodput, and of the upload the part that went over the line: what was already
    there, or has the bytes of another file, is done and not sent."""

    done: Goodput = Goodput()
    sent: Goodput = Goodput()

    def after(self, stage: StageCount, at_seconds: float) -> Speed:
        """The speed including the time up to now."""
        files = stage.done + stage.skipped
        return Speed(
            self.done.after(stage.done_bytes, files, at_seconds),
            self.sent.after(stage.sent_bytes, files, at_seconds),
        )


def speed_from(stage: StageCount, at_seconds: float) -> Speed:
    """The speed before any time has passed: what was done earlier does not count."""
    files = stage.done + stage.skipped
    return Speed(
        Goodput(stage.done_bytes, files, at_seconds), Goodput(stage.sent_bytes, files, at_seconds)
    )


def left_files(stage: StageCount) -> int:
    """The files that are neither done nor skipped nor failed for good."""
    return max(0, stage.total - stage.done - stage.skipped - stage.dead)


def eta_seconds(stage: StageCount, goodput: Goodput) -> float | None:
    """The time until the rest is done, by bytes, or by files if only empty ones are left.

    None while nothing moves. Failed and skipped files do not count.
    """
    files = left_files(stage)
    if not files:
        return 0.0
    left_bytes = stage.total_bytes - stage.done_bytes if stage.total_bytes else 0
    left, speed = (
        (left_bytes, goodput.bytes_per_second)
        if left_bytes > 0
        else (files, goodput.files_per_second)
    )
    eta = left / speed if speed > 0 else math.inf
    return eta if eta < 100 * 86400 else None  # a longer forecast would be meaningless


def fraction(stage: StageCount) -> float:
    """The finished share of the stage, from 0 to 1: by bytes if there are any."""
    if stage.total_bytes:
        return min(stage.done_bytes / stage.total_bytes, 1.0)
    settled = stage.done + stage.skipped + stage.dead
    return min(settled / stage.total, 1.0) if stage.total else 0.0
