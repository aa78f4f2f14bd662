"""Destinations of the manifest, opened as a push would open them."""

from __future__ import annotations

from collections.abc import Mapping

from bulkup.clock import SystemClock
from bulkup.manifest.destinations import Destination
from bulkup.settings import Settings
from bulkup.stores.open import open_store
from bulkup.stores.store import Capabilities, PartStore


def open_known(
    url: str, known: Destination | None, settings: Settings, environ: Mapping[str, str]
) -> PartStore:
    """The store at `url`, at the endpoint of the manifest's row, if there is one, and with what it
    knows where the settings say nothing.

    No request is made yet. Raises UsageError.
    """
    endpoint_url = settings.endpoint_url if known is None else known.endpoint_url
    return open_store(
        url,
        environ=environ,
        clock=SystemClock(),
        endpoint_url=(endpoint_url or None) if url.startswith("s3://") else None,
        region=settings.region or (known.region if known else None),
        profile=settings.profile or (known.profile if known else None),
        ca_bundle=settings.ca_bundle,
        capabilities=Capabilities(known.conditional_writes, known.checksums) if known else None,
        holds_objects=known is not None and known.holds_objects,
    )
