"""Runs a command to its end: prints its events, handles signals, returns the exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from bulkup.errors import ExitCode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from bulkup.cli.output.json_log import JsonLog
    from bulkup.cli.output.observers import Observers
    from bulkup.cli.output.progress import Screen
    from bulkup.events import Emit, Event
    from bulkup.manifest.manifest import Manifest
    from bulkup.model import Snapshot
    from bulkup.run.context import RunContext
    from bulkup.run.ingest.process import IngestProcess
    from bulkup.settings.table import Settings


class Runnable(Protocol):
    """A run of a command."""

    command: ClassVar[str]

    def stop(self, reason: str, exit_code: ExitCode) -> None:
        """End soon, in order."""

    def snapshot(self) -> Snapshot:
        """Where it stands. Safe from any thread."""

    async def run(self) -> Any:
        """Work; the summary, an event with an `exit_code`, which was emitted, too."""


Summaries = tuple["Callable[[Any], list[str]]", "Callable[[Any], str]"]
"""A summary's lines for a terminal, and its line for a pipe."""


def run_to_end(
    make_run: Callable[[RunContext], Runnable],
    settings: Settings,
    *,
    uploads: bool = False,
    summaries: Summaries | None = None,
) -> int:
    """Start the run, print its progress, and return the exit code.

    `make_run` is called with the context. A run that `uploads` gets a second process. `summaries`
    render what the run returns, a Summary by default.
    """
    import asyncio
    import gc

    from bulkup.manifest.manifest import Manifest
    from bulkup.run.descriptors import ensure_descriptors

    gc.freeze()  # imported modules stay
    ensure_descriptors()
    ingest = _fork_ingest() if uploads and settings.run.ingest_process else None
    try:
        with (
            Manifest(settings.manifest) as manifest,
            asyncio.Runner(loop_factory=_loop_factory()) as runner,
        ):
            return runner.run(_run(make_run, settings, manifest, ingest, summaries))
    finally:
        if ingest is not None:
            ingest.end()


def _fork_ingest() -> IngestProcess | None:
    from bulkup.run.ingest.process import IngestProcess

    return IngestProcess.fork()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's if it is installed: a request costs half as much as in asyncio's own loop."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]  # the same, but slower
    return new_event_loop


async def _run(
    make_run: Callable[[RunContext], Runnable],
    settings: Settings,
    manifest: Manifest,
    ingest: IngestProcess | None,
    summaries: Summaries | None,
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
        output = RunOutput(settings, json_log, observers)
        context = new_context(
            manifest,
            clock=clock,
            random=Random(),
            emit=output.emit,
            environ=os.environ,
            wants_files=settings.json or settings.log_file is not None or settings.verbose,
            ingest=ingest,
            manifest_copy=settings.manifest_copy,
        )
        run = make_run(context)
        resumes = run.command in ("push", "resume", "retry")
        signals = StopSignals(run, asyncio.get_running_loop(), output.emit, resumes=resumes)
        async with observers.watching(run.snapshot, output.emit):
            with output.screen(run):
                summary = await run.run()
            output.summarize(summary, summaries)
    output.report_lost()
    return signals.exit_code or summary.exit_code


def _sinks(settings: Settings) -> list[tuple[str, int]]:
    from bulkup.cli.output.json_log import open_log

    sinks = []
    if settings.json:
        sinks.append(("stdout", sys.stdout.fileno()))
    if settings.log_file is not None:
        sinks.append((f"--log-file {settings.log_file}", open_log(settings.log_file)))
    return sinks


class RunOutput:
    """Sends the events of one run to the JSON log, the screen and the observers."""

    def __init__(self, settings: Settings, json_log: JsonLog, observers: Observers) -> None:
        self._settings = settings
        self._json_log = json_log
        self._observers = observers
        self._screen: Screen | None = None

    def screen(self, run: Runnable) -> Screen:
        from bulkup.cli.output.progress import Screen

        quiet = self._settings.quiet or (self._settings.json and sys.stdout.isatty())
        self._screen = Screen(run.snapshot, sys.stderr, os.environ, quiet=quiet)
        return self._screen

    def emit(self, event: Event) -> None:
        from bulkup import events

        self._json_log.emit(event)
        self.report_lost()
        self._observers.emit(event)
        settings = self._settings
        if event.kind == events.Summary.kind:
            return
        if settings.quiet:
            if event.is_trouble:
                self._say(str(event))
            return
        always = (events.Notice, events.Paused, events.BatchFound)
        if isinstance(event, events.Paused) and event.gives_up_seconds is not None:
            shown = event.is_first or settings.verbose
        elif isinstance(event, events.Notice) and event.is_below_bars:
            shown = self._screen is None or not self._screen.draws
        elif isinstance(event, events.RunStarted):
            shown = event.first_default or settings.verbose
        else:
            shown = settings.verbose or event.is_trouble or isinstance(event, always)
        if shown and (text := str(event)):
            self._say(text)

    def report_lost(self) -> None:
        """Print which event logs failed, each once, even with --quiet."""
        for message in self._json_log.take_lost():
            self._say(message)

    def _say(self, text: str) -> None:
        if self._screen is not None:
            self._screen.say(text)

    def summarize(self, summary: Any, summaries: Summaries | None = None) -> None:
        from bulkup.cli.output.summary import summary_line, summary_lines
        from bulkup.cli.output.text import is_screen

        if self._settings.quiet:
            return
        in_lines, in_line = summaries or (summary_lines, summary_line)
        out = sys.stderr if self._settings.json else sys.stdout
        lines = in_lines(summary) if is_screen(out, os.environ) else [in_line(summary)]
        for line in lines:
            print(line, file=out)


class Stoppable(Protocol):
    """What a signal stops."""

    def stop(self, reason: str, exit_code: ExitCode) -> None:
        """End soon, in order."""


_SHOW_CURSOR = b"\r\x1b[J\x1b[?25h"  # and erase the bars


class StopSignals:
    """SIGINT and SIGTERM: the first stops the run in order, the second at once."""

    def __init__(
        self,
        run: Stoppable,
        loop: asyncio.AbstractEventLoop,
        emit: Emit = lambda _: None,
        *,
        resumes: bool = False,
    ) -> None:
        """With `resumes`, `bulkup resume` continues what the second signal cuts short."""
        self._run = run
        self._resumes = resumes
        self._emit = emit
        self.exit_code: int | None = None
        for number, code in (
            (signal.SIGINT, ExitCode.INTERRUPTED),
            (signal.SIGTERM, ExitCode.TERMINATED),
        ):
            loop.add_signal_handler(number, self._receive, number, code)

    def _receive(self, number: signal.Signals, code: ExitCode) -> None:
        if self.exit_code is not None:
            # Claims are void once this process is gone; only the terminal needs cleaning up.
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), _SHOW_CURSOR)
            hint = b"  Resume: bulkup resume\n" if self._resumes else b""
            os.write(sys.stderr.fileno(), b"bulkup: stopped at once\n" + hint)
            os._exit(code)
        self.exit_code = code
        self._run.stop(f"{number.name} received", code)
        from bulkup.events import Notice

        said = "Stopping: finishing what is in progress; Ctrl-C again to leave at once"
        self._emit(Notice(said, is_below_bars=True))
