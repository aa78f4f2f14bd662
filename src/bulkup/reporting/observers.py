"""Reports a run to other programs: the metrics file and the webhook."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bulkup.events import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from random import Random

    from bulkup.clock import Clock
    from bulkup.events import Emit, Event
    from bulkup.model import Snapshot
    from bulkup.reporting.metrics_file import MetricsFile
    from bulkup.reporting.webhook import Webhook
    from bulkup.settings.table import Settings


class Observers:
    """The metrics file and the webhook of one run, each only if the settings name one.

    Neither changes how the run ends: their failures become a Notice. Raises UsageError if the
    metrics file cannot be written.
    """

    def __init__(self, settings: Settings, clock: Clock, random: Random) -> None:
        self._settings = settings
        self._clock = clock
        self._random = random
        self._webhook: Webhook | None = None
        self._metrics: MetricsFile | None = None
        if settings.metrics_file is not None:
            from bulkup.reporting.atomic_file import check_writable
            from bulkup.reporting.metrics_file import is_metrics

            check_writable(settings.metrics_file, named="--metrics-file", is_ours=is_metrics)

    def emit(self, event: Event) -> None:
        """Pass an event to the webhook."""
        if self._webhook is not None:
            self._webhook.emit(event)

    @asynccontextmanager
    async def watching(self, take: Callable[[], Snapshot], emit: Emit) -> AsyncIterator[None]:
        """Report during the run and its end; `emit` gets a Notice about each failed report."""
        async with AsyncExitStack() as stack:
            stack.callback(self._emit_trouble, emit)
            if self._settings.webhook.url is not None:
                self._webhook = self._open_webhook(take)
                await stack.enter_async_context(self._webhook)
            if self._settings.metrics_file is not None:
                self._metrics = self._open_metrics(self._settings.metrics_file, take)
                stack.enter_context(self._metrics)
            yield

    def _open_webhook(self, take: Callable[[], Snapshot]) -> Webhook:
        from bulkup.reporting.webhook import Webhook

        return Webhook(self._settings.webhook, take, self._clock, self._random)

    def _open_metrics(self, path: str, take: Callable[[], Snapshot]) -> MetricsFile:
        from bulkup.reporting.metrics_file import MetricsFile, RunFacts, write

        settings = self._settings

        def take_facts() -> RunFacts:
            now = take()
            return RunFacts(now.throttled, now.workers, now.tasks_out)

        def write_once(at_work: RunFacts) -> None:
            write(
                path,
                settings.manifest,
                now=self._clock.now(),
                stale_after_seconds=settings.run.stale_after_seconds,
                at_work=at_work,
            )

        return MetricsFile(write_once, take_facts)

    def _emit_trouble(self, emit: Emit) -> None:
        if self._webhook is not None and self._webhook.trouble is not None:
            emit(Notice(self._webhook.trouble, is_error=True))
        if self._metrics is not None and self._metrics.trouble is not None:
            path = self._settings.metrics_file
            trouble = f"{path} was not written: {self._metrics.trouble}"
            emit(Notice(trouble, is_error=True))
