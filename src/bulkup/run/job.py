"""A job: one batch to one destination, and what its stages share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from bulkup.manifest.destinations import Destination
from bulkup.model import Stage
from bulkup.run.circuit_breaker import CircuitBreaker
from bulkup.run.context import RunContext
from bulkup.run.options import BatchOptions, NamedRoot
from bulkup.run.stop_signal import StopSignal
from bulkup.run.store_requests import StoreRequests
from bulkup.settings.options import RunOptions

if TYPE_CHECKING:
    from bulkup.engines.engine import Engine
    from bulkup.run.manifest_copy import ManifestCopier
    from bulkup.run.work.task import Task, TaskReply


class RootToScan(NamedTuple):
    """A root that is to be scanned."""

    named: NamedRoot
    root_id: int
    is_known: bool  # its last scan ended, and was for the same destination


class BatchStart(NamedTuple):
    """A batch that is this run's now, with what is left of it."""

    batch_id: int
    to_scan: tuple[RootToScan, ...] = ()
    items: int = 0  # ready or waiting
    size_bytes: int = 0
    is_new: bool = False  # no other run has worked on it
    newest_item: int = 0  # the highest id before this run's scan
    earlier: Mapping[Stage, tuple[int, int]] = MappingProxyType({})
    # done by earlier runs: items and bytes


class Job(NamedTuple):
    """A batch to begin or to resume.

    `begin(run_id, now)` makes it this run's, in one transaction; None when another run has taken it
    meanwhile. With `makes_copies`, copies that wait at the destination are made at the end. The
    stages after the upload work on all items of the destination or, with `is_batch_only`, on the
    batch's items only.
    """

    destination: Destination
    order: BatchOptions
    begin: Callable[[str, float], BatchStart | None]
    makes_copies: bool
    items: int = 0  # to be attempted, as far as is known before it has begun
    is_batch_only: bool = False


class JobContext(NamedTuple):
    """What all stages of a job share."""

    job: Job
    begun: BatchStart
    run: RunContext
    options: RunOptions
    requests: StoreRequests
    breaker: CircuitBreaker
    stop: StopSignal
    copier: ManifestCopier | None = None  # None: the manifest is not copied
    engine: Engine[Task, TaskReply] | None = None  # for process and embed; None: this process

    @property
    def destination_id(self) -> int:
        return self.job.destination.id

    def follows(self, stage: Stage) -> Stage | None:
        """The stage that the job's items go to after `stage`."""
        return self.job.order.stage_after(stage)
