"""Dry runs: what a verb would do, as its summary."""

from __future__ import annotations

import os
import time
from random import Random

from bulkup.api.listener import OnEvent
from bulkup.clock import SystemClock
from bulkup.events import Summary
from bulkup.manifest.reader import Reader
from bulkup.operations.dry_run import DryRun, DryRunContext
from bulkup.operations.push import Push
from bulkup.operations.retry import FailureFilter, plan_retry
from bulkup.operations.stages import BacklogRun, plan_backlog
from bulkup.settings.table import Settings


async def planned_push(plan: Push, settings: Settings, on_event: OnEvent | None) -> Summary:
    """What `push` would do."""
    with Reader(settings.manifest) as reader:
        context = DryRunContext(
            os.environ, SystemClock(), Random(), on_event or (lambda _: None), wants_files=True
        )
        return await DryRun(plan, reader, context).run()


def planned_retry(wanted: FailureFilter, settings: Settings, on_event: OnEvent | None) -> Summary:
    """What `retry` would do."""
    with Reader(settings.manifest) as reader:
        return plan_retry(wanted, reader, on_event or (lambda _: None))


def planned_backlog(
    run: type[BacklogRun], settings: Settings, force: bool, on_event: OnEvent | None
) -> Summary:
    """What `process` or `embed` would do."""
    emit, now = on_event or (lambda _: None), time.time()
    with Reader(settings.manifest) as reader:
        return plan_backlog(run, settings.run, reader, force=force, emit=emit, now=now)
