"""The attempts at items that wait or are dead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bulkup.clock import iso_time
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.reports.status import FailureRow, absolute


class Attempt(NamedTuple):
    """An ended attempt; `ended_at` is ISO 8601."""

    number: int
    ended_at: str
    seconds: float
    outcome: str  # done, skipped, failed
    error_class: str | None
    error: str | None
    request_id: str | None  # what the server's support asks for
    run: str


class AttemptsReport(Statements):
    """Failures with all attempts that led to them."""

    def failures(self) -> Iterator[tuple[FailureRow, list[Attempt]]]:
        """Every file whose item waits or is dead, as `StatusReport.failures`, with its attempts."""
        rows = self._db.execute(
            "SELECT item, root, path, digest, stage, state, error_class, error, attempts, "
            "next_attempt_at, destination FROM failures WHERE NOT accepted "
            "ORDER BY root, path, stage"
        )
        for item_id, root, path, *rest in rows:
            failure = FailureRow(absolute(root, path), *rest)
            yield failure, self.of_item(item_id)

    def of_item(self, item_id: int) -> list[Attempt]:
        """All attempts at an item, the first one first."""
        rows = self._db.execute(
            "SELECT number, ended_at, seconds, outcome, error_class, error, request_id, run_id "
            "FROM attempt WHERE item_id = ? ORDER BY id",
            (item_id,),
        )
        return [Attempt(row[0], iso_time(row[1]), *row[2:]) for row in rows]
