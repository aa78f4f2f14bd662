"""A run on a terminal or in a pipe: its events shown, its signals heard, its exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Protocol

from bulkup.errors import ExitCode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from bulkup.cli.output.json_log import JsonLog
    from bulkup.cli.output.observers import Observers
    from bulkup.cli.output.progress import Screen
    from bulkup.events import Event, Summary
    from bulkup.manifest.manifest import Manifest
    from bulkup.run.context import RunContext
    from bulkup.run.ingest.process import IngestProcess
    from bulkup.run.options import EmbedOptions, ProcessOptions
    from bulkup.run.run import Run
    from bulkup.settings import Settings


def run_options_of(settings: Settings, *, force: bool = False) -> dict[str, Any]:
    """The fields of `run.order.Means`, as the settings have them; with `redoes`, variants and
    embeddings that are there already are made anew."""
    return {
        "process": process_options_of(settings, force=force),
        "embed": embed_options_of(settings, force=force),
        "endpoint_url": settings.endpoint_url,
        "region": settings.region,
        "profile": settings.profile,
        "ca_bundle": settings.ca_bundle,
        "concurrency": None if settings.concurrency == "auto" else settings.concurrency,
        "max_rate_per_second": settings.max_rate_per_second,
        "bwlimit_bytes_per_second": settings.bwlimit_bytes_per_second,
        "limit": settings.limit,
        "max_duration_seconds": settings.max_duration_seconds,
        "max_errors": settings.max_errors,
        "patience_seconds": settings.patience_seconds,
        "part_threshold_bytes": settings.part_threshold_bytes,
        "part_size_bytes": settings.part_size_bytes,
        "stale_after_seconds": settings.stale_after_seconds,
    }


def process_options_of(settings: Settings, *, force: bool = False) -> ProcessOptions:
    """How pictures are processed, as the settings have it."""
    from bulkup.content.picture.spec import Format, PictureLimits, VariantSpec
    from bulkup.run.options import ProcessOptions

    return ProcessOptions(
        workers=0 if settings.workers == "auto" else settings.workers,
        memory_bytes=settings.worker_memory_bytes,
        seconds=settings.worker_seconds,
        limits=PictureLimits(settings.max_pixels, settings.max_picture_bytes),
        variants=tuple(
            VariantSpec(name, size_px, Format(form), quality)
            for name, size_px, form, quality in settings.variants
        ),
        force=force,
    )


def embed_options_of(settings: Settings, *, force: bool = False) -> EmbedOptions:
    """How pictures are embedded, as the settings have it."""
    from bulkup.run.options import EmbedOptions

    return EmbedOptions(
        model=settings.model,
        models_directory=f"{settings.home}/models",
        thorough=settings.thorough,
        force=force,
        url=settings.embed_url,
        api=settings.embed_api,
        remote_model=settings.remote_model,
        key=settings.embed_key,
        pictures_as=settings.pictures_as,
        dimension=settings.embed_dimension,
        timeout_seconds=settings.embed_timeout_seconds,
        requests_per_minute=settings.embed_requests_per_minute,
        burst=settings.embed_burst,
        ca_bundle=settings.ca_bundle,
    )


def run_to_end(
    make_run: Callable[[RunContext], Run], settings: Settings, *, uploads: bool = False
) -> int:
    """Make the run, show it to its end, and return the exit code.

    `make_run` is called with the context. A run that `uploads` gets a second process.
    """
    import asyncio
    import gc

    from bulkup.manifest.manifest import Manifest
    from bulkup.run.ingest.process import fork_ingest_process

    gc.freeze()  # what has been imported stays
    ingest = fork_ingest_process() if uploads else None
    try:
        with (
            Manifest(settings.manifest) as manifest,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            return runner.run(_run(make_run, settings, manifest, ingest))
    finally:
        if ingest is not None:
            ingest.end()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's where there is one: a request costs half of what it does in asyncio's own."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]  # the same, but slower
    return new_event_loop


async def _run(
    make_run: Callable[[RunContext], Run],
    settings: Settings,
    manifest: Manifest,
    ingest: IngestProcess | None,
) -> int:
    import asyncio
    from random import Random

    from bulkup.cli.output.json_log import JsonLog
    from bulkup.cli.output.observers import Observers
    from bulkup.clock import SystemClock
    from bulkup.run.context import new_context

    clock = SystemClock()
    with JsonLog(_sinks(settings), clock) as json_log:
        observers = Observers(settings, clock)
        output = _Output(settings, json_log, observers)
        context = new_context(
            manifest,
            clock=clock,
            random=Random(),
            emit=output.emit,
            environ=os.environ,
            wants_files=settings.json or settings.log_file is not None or settings.verbose,
            ingest=ingest,
        )
        run = make_run(context)
        signals = StopSignals(run, asyncio.get_running_loop())
        async with observers.watching(run.snapshot, output.emit):
            with output.screen(run):
                summary = await run.run()
            output.summarize(summary)
    return signals.exit_code or summary.exit_code


def _sinks(settings: Settings) -> list[tuple[str, int]]:
    from bulkup.cli.output.json_log import open_log

    sinks = []
    if settings.json:
        sinks.append(("stdout", sys.stdout.fileno()))
    if settings.log_file is not None:
        sinks.append((settings.log_file, open_log(settings.log_file)))
    return sinks


class _Output:
    """Where the events of one run go: the journal, the screen, the summary."""

    def __init__(self, settings: Settings, json_log: JsonLog, observers: Observers) -> None:
        self._settings = settings
        self._json_log = json_log
        self._observers = observers
        self._screen: Screen | None = None

    def screen(self, run: Run) -> Screen:
        from bulkup.cli.output.progress import Screen

        quiet = self._settings.quiet or (self._settings.json and sys.stdout.isatty())
        self._screen = Screen(run.snapshot, sys.stderr, os.environ, quiet=quiet)
        return self._screen

    def emit(self, event: Event) -> None:
        from bulkup import events

        self._json_log.emit(event)
        self._observers.emit(event)
        settings = self._settings
        if isinstance(event, events.Summary):
            return
        if settings.quiet:
            if isinstance(event, events.Notice) and event.is_error:
                self._say(str(event))
            return
        always = (events.Notice, events.Paused, events.BatchFound)
        if isinstance(event, events.RunStarted):
            shown = event.first_default or settings.verbose
        else:
            shown = settings.verbose or isinstance(event, always)
        if shown and (text := str(event)):
            self._say(text)

    def _say(self, text: str) -> None:
        if self._screen is not None:
            self._screen.say(text)

    def summarize(self, summary: Summary) -> None:
        from bulkup.cli.output.text import is_screen, summary_line, summary_lines

        if self._settings.quiet:
            return
        out = sys.stderr if self._settings.json else sys.stdout
        lines = summary_lines(summary) if is_screen(out, os.environ) else [summary_line(summary)]
        for line in lines:
            print(line, file=out)


class Stoppable(Protocol):
    """What a signal ends."""

    def stop(self, reason: str, exit_code: ExitCode) -> None:
        """End soon, in order."""


class StopSignals:
    """SIGINT and SIGTERM: the first ends the run in order, the second at once."""

    def __init__(self, run: Stoppable, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self.exit_code: int | None = None
        for number, code in (
            (signal.SIGINT, ExitCode.INTERRUPTED),
            (signal.SIGTERM, ExitCode.TERMINATED),
        ):
            loop.add_signal_handler(number, self._receive, number, code)

    def _receive(self, number: signal.Signals, code: ExitCode) -> None:
        if self.exit_code is not None:
            # Claims are void once this process is gone; nothing else needs to be put in order.
            os._exit(code)
        self.exit_code = code
        self._run.stop(f"{number.name} received", code)
