"""push --dry-run: what would be done, without a request or a write."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bulkup.cli.output.text import escape, is_screen, printable, summary_line, summary_lines

if TYPE_CHECKING:
    from bulkup.events import Event
    from bulkup.operations.push import Push, PushTarget
    from bulkup.settings import Settings


def show_plan(push: Push, settings: Settings) -> None:
    """Print what a push would do: a line a file with --verbose or --json, and the summary."""
    from bulkup.cli.output.json_log import JsonLog
    from bulkup.clock import SystemClock
    from bulkup.manifest.reader import Reader
    from bulkup.operations.dry_run import DryRun
    from bulkup.operations.push import resolve_target

    clock = SystemClock()
    sinks = [("stdout", sys.stdout.fileno())] if settings.json else []
    with Reader(settings.manifest) as reader, JsonLog(sinks, clock) as json_log:
        to = resolve_target(push, reader.destinations)
        if to.is_first_use_of_default and not (settings.quiet or settings.json):
            print(f"No destination given: planning for the local store {escape(to.url)}")

        def emit(event: Event) -> None:
            json_log.emit(event)
            if settings.verbose and not (settings.quiet or settings.json) and (text := str(event)):
                sys.stdout.writelines(
                    f"{printable(escape(line), sys.stdout)}\n" for line in text.split("\n")
                )

        plan = DryRun(
            push,
            reader,
            to,
            prefix=_prefix(push, to),
            clock=clock,
            emit=emit,
            wants_files=settings.json or settings.verbose,
        )
        summary = plan.make()
        json_log.emit(summary)
    if settings.quiet:
        return
    out = sys.stderr if settings.json else sys.stdout
    lines = summary_lines(summary) if is_screen(out, os.environ) else [summary_line(summary)]
    out.writelines(f"{printable(line, out)}\n" for line in lines)


def _prefix(push: Push, to: PushTarget) -> str:
    """What the destination's keys begin with; opening a store makes no request."""
    from bulkup.clock import SystemClock
    from bulkup.stores.open import open_store

    return open_store(
        to.url,
        environ=os.environ,
        clock=SystemClock(),
        endpoint_url=to.endpoint_url or None,
        region=push.region,
        profile=push.profile,
        ca_bundle=push.ca_bundle,
    ).prefix
