"""What changes, for those who listen: looked for once for all of them.

An event's id is `A-N`: the newest attempt and the newest notification that were sent by then. Who
comes back with the last id gets what came since, from the manifest.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from bulkup.clock import Clock, iso_time
from bulkup.errors import ManifestError
from bulkup.manifest.notifications import Notification
from bulkup.manifest.reports.changes import FailedAttempt
from bulkup.manifest.server import ServerReader
from bulkup.model import Digest
from bulkup.serve.live.alerts import alert_of
from bulkup.serve.live.overview import KEPT_SECONDS, Overview
from bulkup.serve.manifest_threads import ManifestThreads
from bulkup.serve.problems import Problem

TICK_SECONDS = 1.0
MOST_LISTENERS = 500
MOST_QUEUED = 256
AT_ONCE = 200
"""Failures in one tick; more come in the next ones."""
MOST_REPLAYED = 1000
FILLED_AT_ONCE = 5000
"""Contents in one transaction of the timeline: it holds the write lock for some 20 ms."""
PAIRED_SECONDS = 60.0
UNREAD_AT_MOST = 100_000
_ID = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")


class Position(NamedTuple):
    """How far the events have come."""

    attempt: int
    notification: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.notification}"


class LiveEvent(NamedTuple):
    """An event for listeners. `data` is JSON."""

    name: str  # stats, failed, run_ended, alert, reload
    data: str
    position: Position


def position_of(event_id: str) -> Position | None:
    """The position in an event's id; None where it is none of ours."""
    found = _ID.fullmatch(event_id)
    return None if found is None else Position(int(found[1]), int(found[2]))


Queue = asyncio.Queue[LiveEvent | None]


class Live:
    """Looks for changes and hands them to all listeners. For one event loop."""

    def __init__(
        self,
        manifest: ManifestThreads,
        overview: Overview,
        clock: Clock,
        *,
        failure_rate: float = 1.0,
    ) -> None:
        """There is an alert when a larger share than `failure_rate` of a run's items failed."""
        self._manifest = manifest
        self._overview = overview
        self._clock = clock
        self._failure_rate = failure_rate
        self._queues: set[Queue] = set()
        self._is_stopped = False
        self._version = -1
        self._changes = 0
        self._position: Position | None = None
        self._stats_at = -KEPT_SECONDS
        self._stats_tag = ""
        self._filled_to = 0
        self._is_unpaired = True
        self._paired_at = -PAIRED_SECONDS

    def __len__(self) -> int:
        """How many listen."""
        return len(self._queues)

    @property
    def changes(self) -> int:
        """How often the manifest was seen to have changed; a second late at most."""
        return self._changes

    async def run(self) -> None:
        """Look every second, until cancelled. Trouble with the manifest is tried again."""
        while True:
            try:
                await self.tick()
            except ManifestError as error:
                sys.stderr.write(f"bulkup: {error}\n")
            await self._clock.sleep(TICK_SECONDS)

    async def tick(self) -> None:
        """Send what changed since the last tick."""
        if self._position is None:
            self._position = await self._manifest.watch(_newest)
        version = await self._manifest.watch(lambda reader: reader.changes.data_version())
        if version != self._version:
            self._version = version
            self._changes += 1
            await self._fill_timeline()
            await self._send_changes(self._position)
        is_due = self._clock.monotonic() - self._paired_at >= PAIRED_SECONDS
        if self._is_unpaired and is_due:
            await self._pair()
        if self._queues and self._clock.monotonic() - self._stats_at >= KEPT_SECONDS:
            await self._send_stats()

    async def _fill_timeline(self) -> None:
        """Add new pictures to the gallery."""
        after, unread = self._filled_to, None
        while True:
            filled = await self._manifest.write(
                lambda manifest, after=after: manifest.timeline.fill(  # type: ignore[misc]  # mypy knows no types of a lambda's defaults
                    after, limit=FILLED_AT_ONCE
                )
            )
            unread = filled.unread_id if unread is None else unread
            if filled.last_id is None:
                break
            after = filled.last_id
            self._is_unpaired |= filled.added > 0
        # Files that cannot be read stay unread: those far back are not waited for.
        self._filled_to = after if unread is None else max(unread - 1, after - UNREAD_AT_MOST)

    async def _pair(self) -> None:
        """Let one picture of each pair stand for the others: all pairs are looked for, which takes
        long in a large library."""
        self._is_unpaired, self._paired_at = False, self._clock.monotonic()
        pairs = await self._manifest.search(lambda reader: reader.searchable.pairs())
        await self._manifest.write(
            lambda manifest: manifest.timeline.pair(
                [(Digest(shown), Digest(partner)) for shown, partner in pairs]
            )
        )

    async def _send_changes(self, since: Position) -> None:
        failed, ended = await self._manifest.watch(
            lambda reader: (
                reader.changes.failed_after(since.attempt, AT_ONCE),
                reader.notifications.after(since.notification, AT_ONCE),
            )
        )
        if len(failed) == AT_ONCE or len(ended) == AT_ONCE:
            self._version = -1  # there is more
        for event in _events(failed, ended, since):
            self._position = event.position
            self._send(event)
        for one in ended:
            if (alert := alert_of(one, self._failure_rate)) is not None:
                self._version = -1  # it is sent in the next tick
                await self._manifest.write(
                    lambda manifest, alert=alert, one=one: manifest.notifications.alert(  # type: ignore[misc]  # mypy knows no types of a lambda's defaults
                        alert, now=one.at, run_id=one.run_id
                    )
                )

    async def _send_stats(self) -> None:
        snapshot = await self._overview.get(fresh=True)
        self._stats_at = self._clock.monotonic()
        if snapshot.etag != self._stats_tag:
            self._stats_tag = snapshot.etag
            self._send(self._stats(snapshot.body))

    def _stats(self, body: bytes) -> LiveEvent:
        return LiveEvent("stats", body.decode(), self._position or Position(0, 0))

    def _send(self, event: LiveEvent) -> None:
        for queue in self._queues:
            if queue.full():  # it does not read: what it missed is on the pages
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(LiveEvent("reload", "{}", event.position))
            else:
                queue.put_nowait(event)

    @contextmanager
    def listening(self) -> Iterator[Queue]:
        """A queue of what happens from now on; None in it is the end. Raises Problem (503)."""
        if len(self._queues) >= MOST_LISTENERS:
            raise Problem(503, "too many listen already", headers={"Retry-After": "30"})
        queue: Queue = asyncio.Queue(MOST_QUEUED)
        if self._is_stopped:
            queue.put_nowait(None)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    async def since(self, last: Position | None) -> list[LiveEvent]:
        """What a listener missed since `last`, and where everything stands."""
        if self._position is None:
            self._position = await self._manifest.watch(_newest)
        here = self._position
        missed: list[LiveEvent] = []
        if last is not None:
            missed = await self._manifest.read(lambda reader: _missed(reader, last, here))
        snapshot = await self._overview.get()
        if len(self._queues) == 1:  # all who listen have these
            self._stats_tag = snapshot.etag
        return [*missed, self._stats(snapshot.body)._replace(position=here)]

    def stop(self) -> None:
        """End all streams."""
        self._is_stopped = True
        for queue in self._queues:
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)


def _newest(reader: ServerReader) -> Position:
    return Position(reader.changes.last_attempt(), reader.notifications.last_id())


def _missed(reader: ServerReader, last: Position, here: Position) -> list[LiveEvent]:
    """The events behind `last` up to `here`; one that says so where they are too many."""
    failed = reader.changes.failed_after(last.attempt, MOST_REPLAYED)
    ended = reader.notifications.after(last.notification, MOST_REPLAYED)
    if len(failed) == MOST_REPLAYED or len(ended) == MOST_REPLAYED:
        return [LiveEvent("reload", "{}", here)]
    failed = [one for one in failed if one.attempt <= here.attempt]
    ended = [one for one in ended if one.id <= here.notification]
    return list(_events(failed, ended, last))


def _events(
    failed: list[FailedAttempt], ended: list[Notification], since: Position
) -> Iterator[LiveEvent]:
    """Failures, then ends of runs: each with the position behind it."""
    position = since
    for attempt in failed:
        position = position._replace(attempt=attempt.attempt)
        yield LiveEvent("failed", json.dumps(attempt._asdict()), position)
    for one in ended:
        position = position._replace(notification=one.id)
        yield LiveEvent(one.kind, json.dumps(notification_document(one)), position)


def notification_document(one: Notification) -> dict[str, Any]:
    """A notification as the API shows it."""
    return {
        "id": one.id,
        "kind": one.kind,
        "at": iso_time(one.at),
        "read": one.is_read,
        "message": one.message,
        "run": one.run_id,
        "command": one.command,
        "exit_code": one.exit_code,
        "summary": one.summary,
    }
