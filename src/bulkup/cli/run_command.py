"""Runs a command to its end: prints its events, handles signals, returns the exit code."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from bulkup.errors import ExitCode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from bulkup.api.runs import Runnable
    from bulkup.cli.output.json_log import JsonLog
    from bulkup.cli.output.progress import Screen
    from bulkup.events import Emit, Event
    from bulkup.run.context import RunContext
    from bulkup.run.ingest.process import IngestProcess
    from bulkup.settings.table import Settings


Summaries = tuple["Callable[[Any], list[str]]", "Callable[[Any], str]"]
"""A summary's lines for a terminal, and its line for a pipe."""


def run_to_end(
    begin: Callable[[RunContext], Runnable[Any]],
    settings: Settings,
    *,
    uploads: bool = False,
    summaries: Summaries | None = None,
) -> int:
    """Start the run, print its progress, and return the exit code.

    `begin` makes the run from its context. A run that `uploads` gets a second process. `summaries`
    render what the run returns, a Summary by default.
    """
    import asyncio
    import gc

    from bulkup.api.loops import loop_factory
    from bulkup.run.descriptors import ensure_descriptors

    gc.freeze()  # imported modules stay
    gc.set_threshold(50_000, 20, 50)
    ensure_descriptors()
    ingest = _fork_ingest() if uploads and settings.run.ingest_process else None
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_run(begin, settings, ingest, summaries))
    finally:
        if ingest is not None:
            ingest.end()


def _fork_ingest() -> IngestProcess | None:
    from bulkup.run.ingest.process import IngestProcess

    return IngestProcess.fork()


async def _run(
    begin: Callable[[RunContext], Runnable[Any]],
    settings: Settings,
    ingest: IngestProcess | None,
    summaries: Summaries | None,
) -> int:
    from bulkup.api.runs import carry_out
    from bulkup.cli.output.json_log import JsonLog
    from bulkup.clock import SystemClock

    sinks = _sinks(settings)
    _reopen_on_hangup(settings, sinks)
    with JsonLog(sinks, SystemClock()) as json_log:
        output = RunOutput(settings, json_log, summaries)
        summary, _ = await carry_out(
            begin,
            settings,
            emit=output.emit,
            wants_files=settings.json or settings.log_file is not None or settings.verbose,
            watch=output.watch,
            ingest=ingest,
        )
    output.report_lost()
    code = output.exit_code or summary.exit_code
    if output.unprinted is not None and not code:
        raise output.unprinted
    return code


def _reopen_on_hangup(settings: Settings, sinks: list[tuple[str, int]]) -> None:
    """SIGHUP, as logrotate sends it, reopens the log file; from a terminal it still ends all."""
    import asyncio

    from bulkup.cli.output.json_log import reopen_log

    if settings.log_file is None or sys.stderr.isatty():
        return
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGHUP, reopen_log, settings.log_file, sinks[-1][1]
    )


def _sinks(settings: Settings) -> list[tuple[str, int]]:
    from bulkup.cli.output.json_log import open_log

    sinks = []
    if settings.json:
        sinks.append(("stdout", sys.stdout.fileno()))
    if settings.log_file is not None:
        sinks.append((f"--log-file {settings.log_file}", open_log(settings.log_file)))
    return sinks


class RunOutput:
    """Sends the events of one run to the JSON log and the screen, and signals to the run."""

    def __init__(
        self, settings: Settings, json_log: JsonLog, summaries: Summaries | None = None
    ) -> None:
        self._settings = settings
        self._json_log = json_log
        self._summaries = summaries
        self._screen: Screen | None = None
        self._signals: StopSignals | None = None
        self._summary: Any = None  # as `summaries` take it
        self.unprinted: OSError | None = None  # why the summary could not be printed

    @property
    def exit_code(self) -> int | None:
        """Of a signal that stopped the run."""
        return None if self._signals is None else self._signals.exit_code

    @contextmanager
    def watch(self, run: Runnable[Any]) -> Iterator[None]:
        """Draw the progress of the run while it works, then its summary."""
        import asyncio

        from bulkup.cli.output.progress import Screen

        resumes = run.command in ("push", "resume", "retry")
        self._signals = StopSignals(run, asyncio.get_running_loop(), self.emit, resumes=resumes)
        quiet = self._settings.quiet or (self._settings.json and sys.stdout.isatty())
        quiet = quiet or run.command == "watch"  # lines, for a journal
        self._screen = Screen(run.snapshot, sys.stderr, os.environ, quiet=quiet)
        stats = self._print_stats(run)
        try:
            with self._screen:
                yield
        finally:
            if stats is not None:
                stats.cancel()
        self._summarize()

    def _print_stats(self, run: Runnable[Any]) -> asyncio.Task[None] | None:
        """Start to print lines of progress where there are no bars, unless there is to be quiet."""
        import asyncio

        from bulkup.cli.output.progress import StatsLines
        from bulkup.clock import SystemClock

        seconds, screen = self._settings.stats_seconds, self._screen
        assert screen is not None
        if seconds is None or screen.draws or self._settings.quiet or run.command == "watch":
            return None
        lines = StatsLines(run.snapshot, screen.say, SystemClock(), seconds)
        return asyncio.create_task(lines.run())

    def emit(self, event: Event) -> None:
        from bulkup import events

        self._json_log.emit(event)
        self.report_lost()
        settings = self._settings
        if event.kind == events.Summary.kind:
            self._summary = event
            return
        if settings.quiet:
            if event.is_trouble:
                self._say(str(event))
            return
        if isinstance(event, events.Paused) and event.gives_up_seconds is not None:
            shown = event.is_first or settings.verbose
        elif isinstance(event, events.Notice) and event.is_below_bars:
            shown = self._screen is None or not self._screen.draws
        elif isinstance(event, events.RunStarted):
            shown = event.first_default or settings.verbose
        else:
            shown = settings.verbose or event.is_trouble or event.is_always_shown
        if shown and (text := str(event)):
            self._say(text, folds=event.is_always_shown or isinstance(event, events.RunStarted))

    def report_lost(self) -> None:
        """Print which event logs failed, each once, even with --quiet."""
        for message in self._json_log.take_lost():
            self._say(message)

    def _say(self, text: str, *, folds: bool = True) -> None:
        if self._screen is not None:
            self._screen.say(text, folds=folds)

    def _summarize(self) -> None:
        if self._settings.quiet or self._summary is None:
            return
        from bulkup.cli.output.summary import summary_line, summary_lines
        from bulkup.cli.output.text import is_screen

        in_lines, in_line = self._summaries or (summary_lines, summary_line)
        out = sys.stderr if self._settings.json else sys.stdout
        is_drawn = is_screen(out, os.environ)
        lines = in_lines(self._summary) if is_drawn else [in_line(self._summary)]
        try:
            for line in lines:
                print(line, file=out)
        except BrokenPipeError:
            pass  # the exit code still says how the run ended
        except OSError as error:
            self.unprinted = error


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
