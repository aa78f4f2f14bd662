"""What happened since a moment, for those who listen."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.stages import BEFORE
from bulkup.manifest.reports.status import absolute
from bulkup.model import Stage


class FailedAttempt(NamedTuple):
    """An attempt that failed, and the first file of its content."""

    attempt: int
    item: int
    path: str
    digest: str | None
    stage: str
    state: str  # the item's, now
    error_class: str | None
    error: str | None
    number: int


class Counts(NamedTuple):
    """How many contents are through the stage before, with one more while there are sidecars that
    process has to read; how many have an item."""

    through: int
    queued: int


class Due(NamedTuple):
    """Whether items are due, and the counts, which also tell of contents without an item."""

    items: bool
    counts: Counts

    @property
    def unqueued(self) -> int:
        """How many contents have no item yet, as the counts say."""
        return self.counts.through - self.counts.queued


class ChangeQueries(Statements):
    """Attempts by their ids, which grow."""

    def data_version(self) -> int:
        """Another number when another connection has changed the manifest since."""
        return int(self._value("PRAGMA data_version"))

    def due(self, stage: Stage, *, now: float) -> Due:
        """What a run of a stage after the upload would find to do."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM destination JOIN item "
            "ON item.destination_id = destination.id WHERE stage = ? AND stage <> 'upload' "
            "AND state IN ('ready', 'waiting') AND due_at <= ? AND live)"
        )
        through = (
            "SELECT coalesce(sum(items), 0) FROM tally "
            "WHERE stage = ? AND state IN ('done', 'skipped')"
        )
        queued = "SELECT coalesce(sum(items), 0) FROM tally WHERE stage = ?"
        sidecars = "SELECT EXISTS (SELECT 1 FROM sidecar_unread)"
        more = int(stage is Stage.PROCESS and self._value(sidecars))
        counts = Counts(
            int(self._value(through, BEFORE[stage].value)) + more,
            int(self._value(queued, stage.value)),
        )
        return Due(bool(self._value(query, stage.value, now)), counts)

    def last_attempt(self) -> int:
        """The id of the newest attempt; 0 when there is none."""
        return int(self._value("SELECT coalesce(max(id), 0) FROM attempt"))

    def failed_after(self, attempt: int, limit: int) -> list[FailedAttempt]:
        """The attempts behind this one that failed, the oldest first."""
        rows = self._db.execute(
            "SELECT attempt.id, item.id, lower(hex(content.digest)), item.stage, item.state, "
            "attempt.error_class, attempt.error, attempt.number, item.content_id FROM attempt "
            "JOIN item ON item.id = attempt.item_id "
            "JOIN content ON content.id = item.content_id "
            "WHERE attempt.id > ? AND outcome = 'failed' ORDER BY attempt.id LIMIT ?",
            (attempt, limit),
        ).fetchall()
        return [
            FailedAttempt(row[0], row[1], self._path(row[8]), row[2] or None, *row[3:8])
            for row in rows
        ]

    def _path(self, content_id: int) -> str:
        row = self._db.execute(
            "SELECT root.path, CASE WHEN 'blob' IN (typeof(folder.path), typeof(name)) "
            "THEN CAST(folder.path || name AS BLOB) ELSE folder.path || name END FROM asset "
            "JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id "
            "WHERE content_id = ? ORDER BY asset.id LIMIT 1",
            (content_id,),
        ).fetchone()
        return "" if row is None else absolute(*row)
