"""`watch`: one push after the other, each of what has come to rest."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import ClassVar, Final, Protocol

from bulkup.errors import BulkupError, ExitCode, UsageError
from bulkup.events import (
    Event,
    FilesLeftOut,
    Notice,
    RootWalked,
    RunStarted,
    Summary,
)
from bulkup.installation import extra_command
from bulkup.manifest.queue.uploads import Left
from bulkup.model import Snapshot
from bulkup.operations.push import Push, PushRun
from bulkup.operations.watch.totals import added
from bulkup.operations.watch.watched_root import WatchedRoot
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.context import SERVER_PID, RunContext
from bulkup.run.summary import snapshot_of, summary_of
from bulkup.settings.watch_options import WatchOptions
from bulkup.walk.at_rest import BEING_WRITTEN

TICK_SECONDS: Final = 0.5
"""How often folders are asked whether they are there, and changes whether they have rested."""

RETRY_SECONDS: Final = (10.0, 30.0, 60.0, 300.0, 600.0)
"""Waits after pushes that the destination refused or that left something to be retried."""


class OnePush(Protocol):
    """A run that pushes; see `run.run.Run`."""

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None: ...
    def snapshot(self) -> Snapshot: ...
    async def run(self) -> Summary: ...


MakePush = Callable[[Push, RunContext], OnePush]


class WatchRun:
    """Pushes what changes in folders, until it is stopped. Each push is a run of its own."""

    command: ClassVar[str] = "watch"

    def __init__(
        self,
        push: Push,
        options: WatchOptions,
        roots: Sequence[WatchedRoot],
        context: RunContext,
        *,
        make_push: MakePush = PushRun,
    ) -> None:
        """`push.roots` are the paths of `roots`."""
        self._push_options = push
        self._options = options
        self._roots = roots
        self._context = context
        self._make_push = make_push
        self._began = context.clock.monotonic()
        self._run: OnePush | None = None
        self._stop_code: ExitCode | None = None
        self._stop_reason = ""
        self._held: list[Event] = []  # of a push that has done nothing yet
        self._total: Summary | None = None
        self._failures = 0  # pushes in a row that left something to be retried
        self._blocked_until = self._began

    def stop(self, reason: str, exit_code: ExitCode | None = None) -> None:
        """End soon: the push at work ends in order."""
        self._stop_reason = self._stop_reason or reason
        self._stop_code = self._stop_code or exit_code or ExitCode.DONE
        if self._run is not None:
            self._run.stop(reason, exit_code)

    def snapshot(self) -> Snapshot:
        """Where the push at work stands. Safe from any thread."""
        run = self._run
        elapsed_seconds = self._context.clock.monotonic() - self._began
        snapshot = snapshot_of([], elapsed_seconds) if run is None else run.snapshot()
        return snapshot._replace(elapsed_seconds=elapsed_seconds)

    @property
    def refused(self) -> BulkupError | None:
        """Nothing: a destination that refuses requests is tried again."""
        return None

    async def run(self) -> Summary:
        """Watch until `stop`. Raises BulkupError for what no later push could do better."""
        if find_spec("watchfiles") is None:
            raise UsageError("watch needs watchfiles", hint=extra_command("watch"))
        try:
            while not self._is_stopped():
                await self._refresh()
                if not await self._push_due():
                    await self._context.clock.sleep(TICK_SECONDS)
        finally:
            for root in self._roots:
                root.stop()
        return self._end()

    def _is_stopped(self) -> bool:
        """Whether `stop` was called, or the server that started this is gone without a word: its
        successor has another watch."""
        server = self._context.environ.get(SERVER_PID)
        if server is not None and server != str(os.getppid()):
            self.stop("the server is gone", ExitCode.TERMINATED)
        return self._stop_code is not None

    def _end(self) -> Summary:
        assert self._stop_code is not None
        total = self._total or summary_of([], Left(0))
        summary = replace(
            total,
            run_id=self._context.run_id,
            command=self.command,
            seconds=self._now() - self._began,
            interrupted=True,
            exit_code=int(self._stop_code),
        )
        self._context.emit(summary)
        return summary

    async def _refresh(self) -> None:
        """Find out what came and went. Folders on a dead network mount do not stop the others."""
        now = self._now()
        states = await asyncio.gather(
            *(asyncio.to_thread(root.refresh, now) for root in self._roots)
        )
        for state in states:
            if state is not None:
                self._context.emit(state)
        for root in self._roots:
            root.take_incoming(now)

    async def _push_due(self) -> bool:
        """Push what is due, if anything is."""
        now = self._now()
        if now < self._blocked_until:
            return False
        whole = [root for root in self._roots if root.is_scan_due(now)]
        if whole:
            at_rest_since = self._at_rest_since()
            for root in whole:
                root.begin_scan(now)
            await self._push(whole, (), at_rest_since)
            return True
        rested = [(root, root.take_rested(now)) for root in self._roots]
        changed = tuple(path for _, paths in rested for path in paths)
        if changed:
            roots = [root for root, paths in rested if paths]
            await self._push(roots, changed, self._at_rest_since())
        return bool(changed)

    def _at_rest_since(self) -> float:
        return self._context.clock.now() - self._options.rest_seconds

    async def _push(
        self, roots: Sequence[WatchedRoot], changed: tuple[str, ...], at_rest_since: float
    ) -> None:
        """One push of these roots, or of the changed paths in them."""
        push = replace(
            self._push_options,
            roots=tuple(root.path for root in roots),
            changed=changed,
            selection=replace(self._push_options.selection, at_rest_since=at_rest_since),
        )
        is_first = self._total is None and self._run is None
        context = self._context._replace(
            run_id=secrets.token_hex(6),
            emit=self._emit,
            async_manifest=self._context.async_manifest
            if is_first
            else AsyncManifest(self._context.manifest),
            ingest=self._context.ingest if is_first else None,
        )
        self._run = self._make_push(push, context)
        try:
            summary = await self._run.run()
        except UsageError as error:  # the folder vanished, or cannot be pushed at all
            await self._refresh()
            if self._total is None and all(root.is_present for root in roots):
                raise
            self._context.emit(Notice(str(error), is_error=True, hint=error.hint))
            self._wait(roots)
            return
        self._total = added(self._total, summary)
        if summary.exit_code == ExitCode.DESTINATION or summary.waiting:
            self._wait(roots, blocks=summary.exit_code == ExitCode.DESTINATION)
        else:
            self._failures = 0

    def _wait(self, roots: Sequence[WatchedRoot], *, blocks: bool = True) -> None:
        """Scan these folders again after a while: what is left is found in the manifest then."""
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        until = self._now() + seconds
        if blocks:
            self._blocked_until = until
        for root in roots:
            root.scan_later(until)

    def _emit(self, event: Event) -> None:
        """Events of a push; those of a push that changes nothing are dropped."""
        if isinstance(event, FilesLeftOut):
            self._notice_unrested(event)
        if isinstance(event, (RunStarted, RootWalked, FilesLeftOut)):
            self._held.append(event)
            return
        if isinstance(event, Summary) and not (event.has_changed or event.exit_code):
            self._held.clear()
            return
        held, self._held = self._held, []
        for one in (*held, event):
            self._context.emit(one)
        if isinstance(event, Summary) and event.has_changed:
            self._context.emit(Notice(_said(event)))

    def _notice_unrested(self, event: FilesLeftOut) -> None:
        now = self._now()
        paths = [
            f"{event.root.rstrip('/')}/{one.folder}{one.name}"
            for one in event.files
            if one.reason == BEING_WRITTEN
        ]
        for root in self._roots:
            root.add_changed(paths, now)

    def _now(self) -> float:
        return self._context.clock.monotonic()


def _said(summary: Summary) -> str:
    """What one push did, in a line."""
    numbers = (
        (summary.sent, "uploaded"),
        (summary.adopted, "already there"),
        (summary.duplicates, "duplicate" if summary.duplicates == 1 else "duplicates"),
        (summary.gone, "deleted locally"),
        (summary.processed, "processed"),
        (summary.embedded, "searchable"),
        (summary.waiting, "will retry"),
        (summary.dead, "failed"),
    )
    return ", ".join(f"{number:,} {label}" for number, label in numbers if number) or "Scanned"
