"""Ends of runs, and alerts."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements


class Notification(NamedTuple):
    """The end of a run, or an alert. `at` is in seconds since 1970."""

    id: int
    kind: str  # run_ended, alert
    run_id: str | None
    at: float
    message: str | None
    is_read: bool
    command: str | None  # from here on the run's
    exit_code: int | None  # None: it was killed
    started_at: float | None
    summary: dict[str, Any] | None


_ROWS = (
    "SELECT notification.id, kind, run_id, at, message, read_at IS NOT NULL, command, exit_code, "
    "started_at, summary FROM notification LEFT JOIN run ON run.id = run_id "
)


class Notifications(Statements):
    """What nobody may have seen yet."""

    def newest(self, limit: int, *, before: int | None = None) -> list[Notification]:
        """The newest first; those below the id `before`."""
        return self._rows(
            "WHERE ? IS NULL OR notification.id < ?1 ORDER BY notification.id DESC LIMIT ?",
            before,
            limit,
        )

    def after(self, last_id: int, limit: int) -> list[Notification]:
        """Those behind the id, the oldest first."""
        return self._rows(
            "WHERE notification.id > ? ORDER BY notification.id LIMIT ?", last_id, limit
        )

    def unread(self) -> int:
        """How many nobody has read."""
        return int(self._value("SELECT count(*) FROM notification WHERE read_at IS NULL"))

    def last_id(self) -> int:
        """Of the newest; 0 when there is none."""
        return int(self._value("SELECT coalesce(max(id), 0) FROM notification"))

    def mark_read(self, up_to: int | None, *, now: float) -> int:
        """Those up to this id are read, or all; returns how many were not."""
        return self._write(
            "UPDATE notification SET read_at = ?1 "
            "WHERE read_at IS NULL AND (?2 IS NULL OR id <= ?2)",
            now,
            up_to,
        )

    def alert(self, message: str, *, now: float, run_id: str | None = None) -> None:
        """Record an alert."""
        self._write(
            "INSERT INTO notification (kind, run_id, at, message) VALUES ('alert', ?, ?, ?)",
            run_id,
            now,
            message,
        )

    def _rows(self, which: str, *values: object) -> list[Notification]:
        return [_notification(row) for row in self._db.execute(_ROWS + which, values)]


def _notification(row: tuple[Any, ...]) -> Notification:
    summary = None if row[9] is None else json.loads(row[9])
    return Notification._make((*row[:5], bool(row[5]), *row[6:9], summary))
