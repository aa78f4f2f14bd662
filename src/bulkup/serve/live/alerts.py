"""Which ends of runs are worth an alert. Pure."""

from __future__ import annotations

from bulkup.manifest.notifications import Notification

LEAST_ITEMS = 20
"""As for the webhook: of fewer, a few bad ones are a large share."""


def alert_of(ended: Notification, failure_rate: float) -> str | None:
    """What to say when a larger share than `failure_rate` of a stage's items failed."""
    stages = (ended.summary or {}).get("stages") or {}
    for stage, counts in stages.items():
        failed = counts.get("dead", 0) + counts.get("waiting", 0)
        tried = failed + counts.get("done", 0)
        if tried >= LEAST_ITEMS and failed > failure_rate * tried:
            share = f"{100 * failed / tried:.0f} %"
            return f"{stage}: {failed:,} of {tried:,} failed ({share}) in the last {ended.command}"
    return None
