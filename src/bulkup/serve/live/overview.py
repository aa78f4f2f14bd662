"""`status --json` and the phases, as one aggregation for all who ask."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from bulkup.clock import Clock
from bulkup.operations.status import status_document
from bulkup.serve.live.aggregation import Aggregation
from bulkup.serve.live.phases import PhaseSample, phases, sample_of
from bulkup.serve.manifest_threads import ManifestThreads

KEPT_SECONDS = 5.0


class StatsDocument(NamedTuple):
    """Where everything stands: the document, as JSON, and a tag that changes when it does."""

    document: dict[str, Any]
    body: bytes
    etag: str


class Overview:
    """The counts of one manifest."""

    def __init__(self, manifest: ManifestThreads, clock: Clock, stale_after_seconds: float) -> None:
        self._manifest = manifest
        self._clock = clock
        self._stale_after_seconds = stale_after_seconds
        self._samples: list[PhaseSample] = []
        self._aggregation = Aggregation(self._made, KEPT_SECONDS, clock)

    async def get(self, *, fresh: bool = False) -> StatsDocument:
        """See `Aggregation.get`."""
        return await self._aggregation.get(fresh=fresh)

    async def _made(self) -> StatsDocument:
        now = self._clock.now()
        document = await self._manifest.read(
            lambda reader: {
                **status_document(reader, self._stale_after_seconds, now=now),
                "unread": reader.notifications.unread(),
            }
        )
        sample = sample_of(document, self._clock.monotonic())
        before = self._samples[0] if self._samples else None
        self._samples = [*self._samples[-1:], sample]  # the rate is of the last two periods
        document["phases"] = phases(document, before, sample)
        return StatsDocument(document, json.dumps(document).encode(), f'"{_tag(document)}"')


def _tag(document: dict[str, Any]) -> str:
    """Of what matters: a heartbeat is no change."""
    runs = [{**run, "heartbeat_at": None} for run in document["runs"]]
    kept = {**document, "generated_at": None, "runs": runs}
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:16]
