"""Opens a destination as a push would: with its options, and with what the manifest knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bulkup.clock import Clock, SystemClock
from bulkup.manifest.destinations import Destination
from bulkup.settings.options import RunOptions
from bulkup.stores.open import Access, open_store
from bulkup.stores.store import Capabilities, PartStore

StoreFactory = Callable[[Destination], PartStore]
"""Opens the store of a destination. Makes no request."""


def open_known(
    url: str,
    known: Destination | None,
    options: RunOptions,
    environ: Mapping[str, str],
    clock: Clock | None = None,
) -> PartStore:
    """The store at `url`. `known` is the manifest's row, if there is one: its endpoint is used, and
    its region, profile and addressing style where the options name none.

    Makes no request yet. Raises UsageError.
    """
    return open_store(
        url,
        Access(
            options.endpoint_url if known is None else known.endpoint_url,
            region=options.region or (known.region if known else None),
            profile=options.profile or (known.profile if known else None),
            addressing_style=options.addressing_style or (known and known.addressing_style),
            ca_bundle=options.ca_bundle,
        ),
        environ=environ,
        clock=clock or SystemClock(),
        capabilities=Capabilities(known.conditional_writes, known.checksums) if known else None,
        holds_objects=known is not None and known.holds_objects,
    )
