"""Accept known failures, so that later runs end with 0 unless something new fails."""

from __future__ import annotations

from collections.abc import Iterator

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.requeue import RetryCandidate, RetryQueue
from bulkup.model import State
from bulkup.operations.retry import FailureFilter, matching


def acceptable(retries: RetryQueue, wanted: FailureFilter) -> Iterator[RetryCandidate]:
    """The files that match, are not retried any more and were not accepted, by path."""
    return (one for one in matching(retries, wanted) if one.state == State.DEAD)


def accept(manifest: Manifest, wanted: FailureFilter, *, now: float) -> int:
    """Accept what has failed for good and matches; returns how many files there are."""
    found = list(acceptable(manifest.retry_queue, wanted))
    manifest.accepted_failures.accept([one.item_id for one in found], now=now)
    return len(found)


def undo(manifest: Manifest, wanted: FailureFilter) -> int:
    """Count accepted failures that match as failures again; returns how many files there are."""
    found = list(matching(manifest.retry_queue, wanted, accepted=True))
    manifest.accepted_failures.undo([one.item_id for one in found])
    return len(found)
