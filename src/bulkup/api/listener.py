"""The caller's callbacks during a run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from bulkup.api.options import LOG
from bulkup.api.runs import Ended, Runnable, carry_out
from bulkup.errors import ExitCode
from bulkup.events import AttemptFailed, Event
from bulkup.model import Snapshot
from bulkup.run.context import RunContext
from bulkup.run.descriptors import check_descriptors
from bulkup.settings.table import Settings

T = TypeVar("T")

OnEvent = Callable[[Event], None]
"""Gets each event; an exception that it raises stops the run, and is raised when that has ended."""
OnProgress = Callable[[Snapshot], None]
"""Gets the progress twice a second, and once at the end."""

PROGRESS_SECONDS = 0.5


class Listener:
    """Passes events and progress on to callbacks, and events to the logger `bulkup`."""

    def __init__(self, on_event: OnEvent | None, on_progress: OnProgress | None) -> None:
        self._on_event = on_event
        self._on_progress = on_progress
        self._run: Runnable[Any] | None = None
        self.error: Exception | None = None  # of a callback

    @property
    def wants_files(self) -> bool:
        """Whether anybody reads an event for each file."""
        return self._on_event is not None or LOG.isEnabledFor(logging.DEBUG)

    def emit(self, event: Event) -> None:
        """Pass an event on."""
        is_warning = event.is_trouble or event.kind == AttemptFailed.kind
        LOG.log(logging.WARNING if is_warning else logging.DEBUG, "%s", event)
        if self._on_event is not None:
            self._call(self._on_event, event)

    @contextmanager
    def watch(self, run: Runnable[Any]) -> Iterator[None]:
        """Report the progress of the run."""
        self._run = run
        if self._on_progress is None:
            yield
            return
        reporting = asyncio.create_task(self._report(run, self._on_progress))
        try:
            yield
        finally:
            reporting.cancel()
            self._call(self._on_progress, run.snapshot())

    async def _report(self, run: Runnable[Any], on_progress: OnProgress) -> None:
        while True:
            self._call(on_progress, run.snapshot())
            await asyncio.sleep(PROGRESS_SECONDS)

    def _call(self, callback: Callable[[T], None], value: T) -> None:
        if self.error is not None:
            return
        try:
            callback(value)
        except Exception as error:  # noqa: BLE001 - raised again when the run has ended
            self.error = error
            self.stop("a callback raised an exception")

    def stop(self, reason: str) -> None:
        """End the run soon, in order."""
        if self._run is not None:
            self._run.stop(reason, ExitCode.INTERRUPTED)


async def listen(
    begin: Callable[[RunContext], Runnable[T]],
    settings: Settings,
    on_event: OnEvent | None,
    on_progress: OnProgress | None,
) -> T:
    """Carry out a run in the running loop; its summary.

    Raises what ended the run before its work, and what a callback raised. When the caller is
    cancelled, the run ends in order first, as by Ctrl-C: what is in flight has a few seconds.
    """
    check_descriptors()
    listener = Listener(on_event, on_progress)
    ended = await _finish(
        carry_out(
            begin,
            settings,
            emit=listener.emit,
            wants_files=listener.wants_files,
            watch=listener.watch,
        ),
        listener,
    )
    error = listener.error or ended.refused
    if error is not None:
        raise error
    return ended.summary


async def _finish(work: Coroutine[Any, Any, Ended[T]], listener: Listener) -> Ended[T]:
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        listener.stop("cancelled")
        await working  # a second cancellation ends it at once
        raise
