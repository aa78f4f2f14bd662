"""Carries out one run: opens the manifest, makes the context, reports to other programs."""

from __future__ import annotations

import os
from contextlib import nullcontext
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from bulkup.clock import SystemClock
from bulkup.errors import BulkupError, ExitCode
from bulkup.manifest.manifest import Manifest
from bulkup.reporting.observers import Observers
from bulkup.run.context import RunContext, new_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from bulkup.events import Emit, Event
    from bulkup.model import Snapshot
    from bulkup.run.ingest.process import IngestProcess
    from bulkup.settings.table import Settings

SummaryT = TypeVar("SummaryT")
SummaryT_co = TypeVar("SummaryT_co", covariant=True)


class Runnable(Protocol[SummaryT_co]):
    """A run of a command."""

    command: ClassVar[str]

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        """End soon, in order."""

    def snapshot(self) -> Snapshot:
        """Where it stands. Safe from any thread."""

    async def run(self) -> SummaryT_co:
        """Work; the summary, an event with an `exit_code`, which was emitted, too."""

    @property
    def refused(self) -> BulkupError | None:
        """What ended the run before its work, such as a destination that refused requests."""


class Ended(NamedTuple, Generic[SummaryT]):
    """How a run ended."""

    summary: SummaryT
    refused: BulkupError | None


async def carry_out(
    begin: Callable[[RunContext], Runnable[SummaryT]],
    settings: Settings,
    *,
    emit: Emit,
    wants_files: bool,
    watch: Callable[[Runnable[Any]], AbstractContextManager[object]] = nullcontext,
    ingest: IngestProcess | None = None,
) -> Ended[SummaryT]:
    """Work in the running event loop until the run ends; within `watch(run)`.

    `begin` makes the run from its context. With `wants_files` there is an event for each file.
    Raises BulkupError only where nothing could be recorded (usage, manifest).
    """
    clock, random = SystemClock(), Random()
    observers = Observers(settings, clock, random)

    def emit_to_all(event: Event) -> None:
        observers.emit(event)
        emit(event)

    with Manifest(settings.manifest) as manifest:
        context = new_context(
            manifest,
            clock=clock,
            random=random,
            emit=emit_to_all,
            environ=os.environ,
            wants_files=wants_files,
            ingest=ingest,
            manifest_copy=settings.manifest_copy,
        )
        run = begin(context)
        async with observers.watching(run.snapshot, emit):
            with watch(run):
                summary = await run.run()
        return Ended(summary, run.refused)
