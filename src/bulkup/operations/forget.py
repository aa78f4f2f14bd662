"""Forget a destination or a root: in the manifest only, nothing at the destination is touched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from bulkup.errors import UsageError
from bulkup.manifest.destinations import Destination, Destinations
from bulkup.manifest.manifest import Manifest
from bulkup.operations.destination.endpoints import shown_endpoint
from bulkup.stores.s3.endpoint import normalise_endpoint
from bulkup.stores.urls import canonical


class Forgettable(NamedTuple):
    """What is to be forgotten: a destination, or a root when that is None."""

    name: str
    destination: Destination | None
    roots: tuple[str, ...]  # that go to the destination; the root itself


def find_forgettable(
    destinations: Destinations, name: str, *, endpoint_url: str | None
) -> Forgettable:
    """What `name`, a URL or a path, is in the manifest. Raises UsageError."""
    roots, path = destinations.of_roots(), os.path.abspath(name)
    if "://" not in name and path in roots:
        return Forgettable(path, None, (path,))
    if endpoint_url is not None:
        endpoint_url = normalise_endpoint(endpoint_url)
    found = [
        one
        for one in destinations.all()
        if one.url in _spellings(name) and endpoint_url in (None, one.endpoint_url)
    ]
    if not found:
        raise UsageError(
            f"{name} is neither a known destination nor a known root",
            hint="bulkup status lists the destinations, bulkup history the folders.",
        )
    if len(found) > 1:
        places = " and ".join(shown_endpoint(one.endpoint_url) for one in found)
        raise UsageError(f"{name} is known at {places}", hint="Choose one with --endpoint-url.")
    return Forgettable(found[0].url, found[0], _roots_to(found[0], roots))


def forget(manifest: Manifest, what: Forgettable) -> None:
    """Forget it. Raises UsageError while a run works there."""
    if what.destination is None:
        manifest.garbage.forget_root(what.name)
    elif manifest.batches.at_work(what.destination.id):
        raise UsageError(f"a run is working on {what.name}", hint="Wait for its end, or stop it.")
    else:
        manifest.garbage.forget_destination(what.destination.id)


def _spellings(name: str) -> Sequence[str]:
    """The URL as it was written, and as the manifest writes it."""
    try:
        return name, canonical(name)
    except UsageError:
        return (name,)


def _roots_to(destination: Destination, roots: dict[str, Destination]) -> tuple[str, ...]:
    return tuple(path for path, last in roots.items() if last.id == destination.id)
