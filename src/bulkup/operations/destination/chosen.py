"""The destinations that a command is about, of those that the manifest knows."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.errors import UsageError
from bulkup.manifest.destinations import Destination, Destinations
from bulkup.stores.s3.endpoint import normalise_endpoint
from bulkup.stores.urls import canonical
from bulkup.walk.roots import anchor


def chosen_destinations(
    destinations: Destinations,
    *,
    to: str | None,
    endpoint_url: str | None,
    roots: Sequence[str],
) -> list[Destination]:
    """The destination `to`, else those that the roots (absolute paths) remember, else all.

    Raises UsageError for a destination or a root that was never pushed.
    """
    known = destinations.all()
    if to is not None:
        url = canonical(to)
        if endpoint_url is not None:
            endpoint_url = normalise_endpoint(endpoint_url)
        found = [d for d in known if d.url == url and endpoint_url in (None, d.endpoint_url)]
        if not found:
            raise UsageError(
                f"nothing was ever pushed to {url}",
                hint="bulkup status lists the destinations; bulkup rebuild --from imports one.",
            )
        return found
    if not roots:
        return [one for one in known if one.is_reached]
    chosen: dict[int, Destination] = {}
    for root in roots:
        destination = destinations.of_root(root) or destinations.of_root(anchor(root))
        if destination is None:
            raise UsageError(f"{root} was never pushed", hint="Name a destination with --to.")
        chosen[destination.id] = destination
    return list(chosen.values())
