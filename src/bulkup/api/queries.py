"""What is read from the manifest: where everything stands, what failed, what a search finds.

All functions here block.
"""

from __future__ import annotations

import time
from random import Random

from bulkup.api.options import LOG
from bulkup.api.results import FailedFile, StatusResult, status_result
from bulkup.clock import SystemClock
from bulkup.manifest.reader import Reader
from bulkup.operations.pictures.search_request import (
    FoundPicture,
    SearchRequest,
    answer,
    found_pictures,
    matching_digests,
)
from bulkup.operations.pull import no_manifest
from bulkup.operations.status import status_document
from bulkup.settings.table import Settings


def status_of(settings: Settings) -> StatusResult:
    """Where everything stands."""
    with Reader(settings.manifest) as reader:
        stale = settings.run.stale_after_seconds
        return status_result(status_document(reader, stale, now=time.time()))


def failures_of(settings: Settings, *, accepted: bool) -> list[FailedFile]:
    """The files that failed or will be retried, or those whose failure is known."""
    with Reader(settings.manifest) as reader:
        return [FailedFile(*row) for row in reader.reports.failures(accepted=accepted)]


def pictures_found(request: SearchRequest, settings: Settings) -> list[FoundPicture]:
    """What a search finds; its notes are logged."""
    with Reader(settings.manifest) as reader:
        result = answer(request, reader, settings.run, clock=SystemClock(), random=Random())
        for note in result.notes:
            LOG.info("%s", note)
        placed = reader.searchable.placed(hit.picture.content_id for hit in result.hits)
        return list(found_pictures(result.hits, placed))


def digests_found(search: str | None, settings: Settings) -> frozenset[str] | None:
    """Of the pictures that a search finds; None without one. There must be a manifest."""
    with Reader(settings.manifest) as reader:
        if not reader.exists:
            raise no_manifest(settings.manifest)
        if search is None:
            return None
        return matching_digests(reader, search, settings.run, SystemClock(), Random())
