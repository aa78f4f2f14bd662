"""The end of an attempt that did not fail, at a stage after the upload.

All functions are parts of a transaction that the caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from bulkup.manifest.bulk import execute_rows
from bulkup.manifest.latency import latency_bucket
from bulkup.manifest.rows_later import Item
from bulkup.model import Stage


def finish(
    db: sqlite3.Connection,
    ended: Sequence[tuple[Item, float]],
    stage: Stage,
    run_id: str,
    now: float,
) -> None:
    """These items are done, each after so many seconds; by whomever they are claimed: what was
    made is there."""
    execute_rows(
        db,
        "UPDATE item SET state = 'done', run_id = NULL, in_hand = 0, reason = NULL, "
        "attempts = attempts + 1, priority = 1, error_class = NULL, error = NULL, "
        "settled_at = v.column2 FROM (VALUES {rows}) AS v "
        "WHERE id = v.column1 AND state = 'claimed'",
        [(item.item_id, now) for item, _ in ended],
    )
    record_attempts(db, ended, "done", stage, run_id, now)


def record_attempts(
    db: sqlite3.Connection,
    ended: Sequence[tuple[Item, float]],
    outcome: str,
    stage: Stage,
    run_id: str,
    now: float,
) -> None:
    """Attempts that did not fail, with their seconds; part of the caller's transaction."""
    execute_rows(
        db,
        "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome) VALUES {rows}",
        [
            (item.item_id, item.attempts + 1, run_id, now, seconds, outcome)
            for item, seconds in ended
        ],
    )
    buckets = Counter(latency_bucket(seconds) for _, seconds in ended)
    db.executemany(
        "INSERT INTO latency VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts",
        ((stage.value, bucket, count) for bucket, count in buckets.items()),
    )
