"""What the metrics need beyond `status`: latencies, and how runs ended."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import bucket_ms
from bulkup.model import Stage


class LastRun(NamedTuple):
    """When the latest run of a command began, and when and how the latest that ended did.

    Seconds since 1970. A run that was killed has no exit code; it ended when that was noticed.
    """

    command: str
    started_at: float
    ended_at: float | None
    exit_code: int | None


class MetricsReport(Statements):
    """Numbers for a monitoring system."""

    def latencies(self) -> dict[Stage, list[tuple[float, int]]]:
        """For each stage how many attempts took about so many seconds (within 5 %), ascending."""
        found: dict[Stage, list[tuple[float, int]]] = {stage: [] for stage in Stage}
        for stage, bucket, attempts in self._db.execute(
            "SELECT stage, bucket, attempts FROM latency ORDER BY stage, bucket"
        ):
            found[Stage(stage)].append((bucket_ms(bucket) / 1000, attempts))
        return found

    def last_runs(self) -> list[LastRun]:
        """One row for each command that was ever run, by its name."""
        # SQLite takes the bare columns from the row that has the maximum.
        ended = {
            command: (ended_at, exit_code)
            for command, ended_at, exit_code in self._db.execute(
                "SELECT command, max(ended_at), exit_code FROM run "
                "WHERE ended_at IS NOT NULL GROUP BY command"
            )
        }
        started = self._db.execute(
            "SELECT command, max(started_at) FROM run GROUP BY command ORDER BY command"
        ).fetchall()
        return [LastRun(command, at, *ended.get(command, (None, None))) for command, at in started]

    def throttled(self) -> int:
        """Requests that a server refused for being too many, over all runs that ended."""
        found = self._value(
            "SELECT sum(json_extract(summary, '$.throttled')) FROM run WHERE summary NOT NULL"
        )
        return int(found or 0)
