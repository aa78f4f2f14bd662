"""The end of attempts of the stages after the upload: done, passed over, or missed.

All functions are parts of a transaction that the caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from bulkup.manifest.bulk import execute_rows
from bulkup.manifest.queue.release import forget_unwanted
from bulkup.manifest.reports.latency import latency_bucket
from bulkup.manifest.rows import as_text
from bulkup.manifest.rows_later import Item, SkippedItem, StageFailed
from bulkup.manifest.runs import STRIKES
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
    _record_attempts(db, ended, "done", stage, run_id, now)


def settle_skipped(
    db: sqlite3.Connection,
    passed: Sequence[SkippedItem],
    stage: Stage,
    follows: Stage | None,
    run_id: str,
    now: float,
) -> None:
    """The body of one `Later.pass_over` transaction."""
    db.executemany(
        "UPDATE item SET state = 'skipped', run_id = NULL, in_hand = 0, reason = ?, "
        "attempts = attempts + 1, priority = 1, error_class = NULL, error = NULL, "
        "settled_at = ? WHERE id = ? AND state = 'claimed'",
        ((as_text(p.reason), now, p.item.item_id) for p in passed),
    )
    ended = [(p.item, p.seconds) for p in passed]
    _record_attempts(db, ended, "skipped", stage, run_id, now)
    if follows is not None:
        db.executemany(
            "INSERT INTO item (content_id, destination_id, stage, state, live, "
            "size_bytes, reason, settled_at) SELECT content_id, destination_id, "
            f"'{follows}', 'skipped', live, size_bytes, reason, settled_at FROM item "
            "WHERE id = ? AND state = 'skipped' ON CONFLICT DO NOTHING",
            ((p.item.item_id,) for p in passed),
        )
    for one in passed:
        forget_unwanted(db, one.item.item_id)


def _record_attempts(
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


def settle_failed_stage(
    db: sqlite3.Connection, missed: Sequence[StageFailed], run_id: str, now: float
) -> None:
    """The body of one `Later.miss` transaction."""
    for one in missed:
        row = (_strike if one.is_strike else _fail)(db, one, run_id, now)
        if row is None:
            continue  # the claim was lost: the failure is nobody's
        db.execute(
            "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome, "
            "error_class, error, request_id) VALUES (?, ?, ?, ?, ?, 'failed', ?, ?, ?)",
            (
                one.item.item_id,
                one.item.attempts + 1,
                run_id,
                now,
                one.seconds,
                one.error_class.value,
                as_text(one.error),
                one.request_id,
            ),
        )
        forget_unwanted(db, one.item.item_id)


def _fail(db: sqlite3.Connection, one: StageFailed, run_id: str, now: float) -> tuple[str] | None:
    row: tuple[str] | None = db.execute(
        "UPDATE item SET state = ?, run_id = NULL, in_hand = 0, attempts = attempts + 1, "
        "due_at = ?, error_class = ?, error = ?, settled_at = ? "
        "WHERE id = ? AND state = 'claimed' AND run_id = ? RETURNING state",
        (
            "dead" if one.due_at is None else "waiting",
            one.due_at or 0,
            one.error_class.value,
            as_text(one.error),
            now,
            one.item.item_id,
            run_id,
        ),
    ).fetchone()
    return row


def _strike(db: sqlite3.Connection, one: StageFailed, run_id: str, now: float) -> tuple[str] | None:
    """Its worker was lost: last in the queue, and at three strikes dead (SPEC §4)."""
    row: tuple[str] | None = db.execute(
        "UPDATE item SET strikes = strikes + 1, priority = 3, run_id = NULL, in_hand = 0, "
        "attempts = attempts + 1, due_at = 0, settled_at = ?1, "
        "state = CASE WHEN strikes + 1 >= ?2 THEN 'dead' ELSE 'ready' END, "
        "error_class = CASE WHEN strikes + 1 >= ?2 THEN 'resource' ELSE ?3 END, "
        "error = CASE WHEN strikes + 1 >= ?2 "
        "THEN 'took the worker down three times' ELSE ?4 END "
        "WHERE id = ?5 AND state = 'claimed' AND run_id = ?6 RETURNING state",
        (now, STRIKES, one.error_class.value, as_text(one.error), one.item.item_id, run_id),
    ).fetchone()
    return row
