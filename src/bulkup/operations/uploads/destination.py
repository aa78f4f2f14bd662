"""Where uploads go: the destination of the settings, else the only one that is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, TypeVar

from bulkup.clock import Clock
from bulkup.errors import UsageError
from bulkup.manifest.destinations import Destination, Destinations
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.operations.destination.endpoints import choose_endpoint
from bulkup.run.open_destination import open_known
from bulkup.settings.options import RunOptions, UploadOptions
from bulkup.stores.store import PartStore
from bulkup.stores.urls import canonical, is_broker

T = TypeVar("T")


class ManifestAccess(Protocol):
    """The manifest, for callers in an event loop."""

    async def read(self, function: Callable[[Reader], T]) -> T: ...
    async def write(self, function: Callable[[Manifest], T]) -> T: ...


def choose(
    destinations: Destinations,
    upload: UploadOptions,
    options: RunOptions,
    environ: Mapping[str, str],
) -> Destination:
    """The row of the destination of uploads, added when it is new. Raises UsageError."""
    known = [one for one in destinations.all() if not is_broker(one.url)]
    if upload.to is None:
        found = [one for one in known if one.is_reached] or known
        if len(found) == 1:
            return found[0]
        if found:
            urls = " and ".join(one.url for one in found)
            raise UsageError(
                f"uploads may go to several destinations: {urls}",
                hint="Name one in the setting push.to.",
            )
    url = canonical(upload.to or upload.default_to)
    if is_broker(url):
        raise UsageError(f"{url} is another bulkup serve; this one needs a bucket or a directory")
    return destinations.add(
        url,
        endpoint_url=choose_endpoint(url, known, options, environ),
        region=options.region,
        profile=options.profile,
        addressing_style=options.addressing_style,
    )


def open_destination(
    destination: Destination,
    upload: UploadOptions,
    options: RunOptions,
    environ: Mapping[str, str],
    clock: Clock,
) -> PartStore:
    """The store there. Makes no request. Raises UsageError."""
    if destination.url == upload.default_to:
        with suppress(OSError):
            os.makedirs(os.path.dirname(destination.url), exist_ok=True)
    return open_known(destination.url, destination, options, environ, clock)
