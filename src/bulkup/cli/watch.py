"""bulkup watch: pushes new and changed files in folders, until it is stopped."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import PUSH, RUN, SELECTION
from bulkup.cli.shared_options import Flags, warn
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.events import Summary
    from bulkup.operations.push import Push
    from bulkup.operations.watch.watch_run import WatchRun
    from bulkup.run.context import RunContext
    from bulkup.settings.table import Settings

EXAMPLE = """First everything is pushed, then only what changes. A file is pushed when it has not
changed for some seconds and nobody writes to it. A folder that is not there, or is empty, is waited
for: an SD card may come and go, and its files never count as deleted. Network mounts are scanned
again and again, since they send no events. When the destination cannot be reached, watch waits and
tries again.

Example: bulkup watch ./photos /media/me/CARD --to s3://bucket/photos"""
SETTINGS = (
    *SELECTION,
    "watch.rest",
    "watch.poll",
    *PUSH,
    *(key for key in RUN if key not in ("push.limit", "push.max_duration", "push.max_errors")),
)


def run(
    flags: Flags,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH…", help="Folders; they need not be there yet.")
    ],
) -> None:
    """Push new and changed files in folders, until it is stopped."""
    settings = flags.settings()
    roots = tuple(dict.fromkeys(os.path.abspath(path) for path in paths))
    for root in roots:
        if os.path.lexists(root) and not os.path.isdir(root):
            raise UsageError(f"{root} is no folder", hint=f"To push it once: bulkup push {root}")
        if not os.path.lexists(root):
            warn(f"{root} does not exist yet: watch waits for it{_near(root)}")
    present = [root for root in roots if os.path.isdir(root)]
    from bulkup.operations.push import plan_of

    settings = replace(settings, upload=replace(settings.upload, files_from=None))
    push = plan_of(settings, present or [os.getcwd()], cwd=os.getcwd(), now=time.time())
    make_run = partial(_watch, settings, push, roots)
    summaries = (lambda summary: [summary_line(summary)], summary_line)
    uploads = "upload" in settings.upload.stages
    sys.exit(run_to_end(make_run, settings, uploads=uploads, summaries=summaries))


def _near(root: str) -> str:
    """A question where the name may be mistyped: a folder beside it is called nearly so, or the
    folder that it would be in is not there either."""
    from difflib import get_close_matches

    folder, name = os.path.split(root)
    try:
        beside = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return "" if os.path.isdir(folder) else f" ({folder} does not exist either)"
    near = get_close_matches(name, beside, n=1)
    return f" (did you mean {os.path.join(folder, near[0])}?)" if near else ""


def _watch(settings: Settings, push: Push, roots: tuple[str, ...], context: RunContext) -> WatchRun:
    from bulkup.operations.watch.watch_run import WatchRun
    from bulkup.operations.watch.watched_root import WatchedRoot
    from bulkup.walk.filters import Rules

    rules = Rules(push.selection)
    own_files = tuple(filter(None, (settings.manifest, settings.log_file, settings.metrics_file)))
    watched = [WatchedRoot(root, settings.watch, rules, own_files=own_files) for root in roots]
    return WatchRun(push, settings.watch, watched, context)


def summary_line(summary: Summary) -> str:
    """What a watch did, in a line."""
    from bulkup.cli.output.text import count, duration, size

    return (
        f"Stopped after {duration(summary.seconds)}: {count(summary.sent, 'file')} uploaded "
        f"({size(summary.sent_bytes)}), {count(summary.duplicates, 'duplicate')}, "
        f"{summary.waiting:,} will retry, {summary.dead:,} failed"
    )
