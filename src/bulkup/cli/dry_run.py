"""--dry-run: show what push, process or embed would do, without a request or a write."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bulkup.cli.output.plan import PlanDetails
from bulkup.cli.output.summary import summary_line, summary_lines
from bulkup.cli.output.text import escape, is_screen, print_folded, print_lines, printable
from bulkup.cli.run_command import StopSignals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkup.cli.output.json_log import JsonLog
    from bulkup.events import Emit, Event, Summary
    from bulkup.operations.dry_run import DryRun
    from bulkup.operations.push import Push
    from bulkup.operations.stages import BacklogRun
    from bulkup.settings.table import Settings

_LAST_BATCHES = 20  # among them the last push to the destination that sent anything


def show_plan(push: Push, settings: Settings) -> int:
    """Print what a push would do: a line per file with --verbose or --json, and the summary.

    Returns the exit code: 0 unless it was interrupted, or the directory cannot be used.
    """
    import asyncio
    from random import Random

    from bulkup.cli.output.json_log import JsonLog
    from bulkup.clock import SystemClock
    from bulkup.manifest.reader import Reader
    from bulkup.operations.dry_run import DryRun, DryRunContext

    clock = SystemClock()
    sinks = [("stdout", sys.stdout.fileno())] if settings.json else []
    with Reader(settings.manifest) as reader, JsonLog(sinks, clock) as json_log:
        target = push.target(reader.destinations, os.environ)
        if target.is_first_use_of_default and not (settings.quiet or settings.json):
            text = f"No destination given: planning for the local store {target.url}"
            print_folded(text, sys.stdout)
        details = PlanDetails()
        emit = _emitter(settings, json_log, details)
        context = DryRunContext(os.environ, clock, Random(), emit, wants_files=True)
        summary, exit_code = asyncio.run(_run(DryRun(push, reader, context)))
        json_log.emit(summary)
        more = details.lines(target.url, reader.reports.history(_LAST_BATCHES))
    _print_end(settings, summary, json_log, more, pushed=push.roots)
    return exit_code


def show_backlog(run: type[BacklogRun], settings: Settings, *, force: bool) -> int:
    """Print what `process` or `embed` would do; returns the exit code, 0."""
    from bulkup.cli.output.json_log import JsonLog
    from bulkup.clock import SystemClock
    from bulkup.manifest.reader import Reader
    from bulkup.operations.stages import plan_backlog

    clock = SystemClock()
    sinks = [("stdout", sys.stdout.fileno())] if settings.json else []
    with Reader(settings.manifest) as reader, JsonLog(sinks, clock) as json_log:
        emit = _emitter(settings, json_log, PlanDetails())
        summary = plan_backlog(run, settings.run, reader, force=force, emit=emit, now=clock.now())
        json_log.emit(summary)
    _print_end(settings, summary, json_log, [])
    return int(summary.exit_code)


def _print_end(
    settings: Settings,
    summary: Summary,
    json_log: JsonLog,
    more: Sequence[str],
    *,
    pushed: Sequence[str] = (),
) -> None:
    """Print the summary, and `more` lines below it on a terminal."""
    for message in json_log.take_lost():
        print(f"bulkup: {message}", file=sys.stderr)
    if settings.quiet:
        return
    out = sys.stderr if settings.json else sys.stdout
    if is_screen(out, os.environ) or settings.verbose:
        out.writelines(
            f"{printable(line, out)}\n" for line in summary_lines(summary, pushed=pushed)
        )
        for line in more:
            print_folded(line, out)
    else:
        out.write(f"{printable(summary_line(summary, pushed=pushed), out)}\n")


async def _run(dry_run: DryRun) -> tuple[Summary, int]:
    import asyncio

    signals = StopSignals(dry_run, asyncio.get_running_loop())
    summary = await dry_run.run()
    return summary, signals.exit_code or summary.exit_code


def _emitter(settings: Settings, json_log: JsonLog, details: PlanDetails) -> Emit:
    shows_lines = settings.verbose and not (settings.quiet or settings.json)

    def emit(event: Event) -> None:
        details.add(event)
        json_log.emit(event)
        if event.is_trouble:
            print_lines((escape(line) for line in str(event).split("\n")), sys.stderr)
        elif shows_lines and (text := str(event)):
            lines = (printable(escape(line), sys.stdout) for line in text.split("\n"))
            sys.stdout.writelines(f"{line}\n" for line in lines)

    return emit
