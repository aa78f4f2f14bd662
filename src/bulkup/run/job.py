"""What a run is given to do: one batch towards one destination."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bulkup.manifest.destinations import Destination
from bulkup.run.options import BatchOptions, NamedRoot


class RootToScan(NamedTuple):
    """A root that is to be walked."""

    named: NamedRoot
    root_id: int
    is_known: bool  # its last walk came to an end towards this same destination


class BatchStart(NamedTuple):
    """A batch that is this run's now, with what is left of it."""

    batch_id: int
    to_scan: tuple[RootToScan, ...] = ()
    items: int = 0  # ready or waiting
    size_bytes: int = 0


class Job(NamedTuple):
    """A batch to begin or to go on with.

    `begin(run_id, now)` makes it this run's, in one transaction; None when it has become another
    run's meanwhile. With `makes_copies`, copies that wait at the destination are made at the end.
    The stages after the upload work on all that waits at the destination or, with `is_batch_only`,
    on the batch's items only.
    """

    destination: Destination
    order: BatchOptions
    begin: Callable[[str, float], BatchStart | None]
    makes_copies: bool
    items: int = 0  # that wait for it, as far as is known before it has begun
    is_batch_only: bool = False


class LaterLimits(NamedTuple):
    """Where the work at a stage after the upload ends before there is none left."""

    items: int | None = None
    deadline: float | None = None  # on the monotonic clock
    errors: int | None = None
    patience_seconds: float = 30.0
