"""The end of attempts of the upload stage: the body of one `Queue.settle` transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from bulkup.manifest.bulk import execute_rows
from bulkup.manifest.queue.release import forget_unwanted
from bulkup.manifest.reports.latency import latency_bucket
from bulkup.manifest.rows import Done, Failed, as_text
from bulkup.model import Stage, State


def settle_done(
    db: sqlite3.Connection, done: Sequence[Done], destination_id: int, run_id: str, now: float
) -> None:
    """The destination has these contents. What is known of their multipart uploads is dropped."""
    execute_rows(
        db,
        "UPDATE item SET state = 'done', run_id = NULL, attempts = attempts + 1, priority = 1, "
        "error_class = NULL, error = NULL, settled_at = v.column3 "
        # By whomever it is claimed: what the store has is done, also when another run has
        # taken this one for gone. Ids of unwanted items come back, with another content.
        "FROM (VALUES {rows}) AS v "
        "WHERE id = v.column1 AND content_id = v.column2 AND state = 'claimed'",
        [(d.work.item_id, d.work.content_id, now) for d in done],
    )
    execute_rows(
        db,
        "UPDATE object SET etag = v.column1, checksum = v.column2, stored_at = v.column3, "
        "size_bytes = v.column4 FROM (VALUES {rows}) AS v "
        "WHERE destination_id = v.column5 AND key = v.column6 AND content_id = v.column7",
        [
            (d.etag, d.checksum, now, d.size_bytes, destination_id, d.key, d.work.content_id)
            for d in done
        ],
    )
    execute_rows(
        db,
        "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome) VALUES {rows}",
        [(d.work.item_id, d.work.attempts + 1, run_id, now, d.seconds, "done") for d in done],
    )
    large = [(d.work.item_id,) for d in done if d.checksum is not None]
    db.executemany("DELETE FROM part WHERE item_id = ?", large)
    db.executemany("DELETE FROM upload WHERE item_id = ?", large)
    buckets = Counter(latency_bucket(d.seconds) for d in done)
    db.executemany(
        "INSERT INTO latency VALUES ('upload', ?, ?) "
        "ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts",
        buckets.items(),
    )


def enqueue_next_stage(db: sqlite3.Connection, done: Sequence[Done], stage: Stage) -> None:
    """Those of the contents that are done by now have an item of `stage`, in the same batch."""
    execute_rows(
        db,
        "INSERT INTO item (content_id, destination_id, stage, state, live, size_bytes, "
        f"batch_id) SELECT content_id, destination_id, '{stage}', 'ready', live, size_bytes, "
        "batch_id FROM item WHERE id IN (VALUES {rows}) AND state = 'done' "
        "ON CONFLICT DO NOTHING",
        [(d.work.item_id,) for d in done],
    )


def settle_failed(
    db: sqlite3.Connection, failed: Sequence[Failed], run_id: str, now: float
) -> None:
    """These attempts failed: their items wait, or are dead. A claim that was lost stays lost."""
    for f in failed:
        state = State.DEAD if f.due_at is None else State.WAITING
        settled = db.execute(
            "UPDATE item SET state = ?, run_id = NULL, attempts = attempts + 1, due_at = ?, "
            "error_class = ?, error = ?, settled_at = ? "
            "WHERE id = ? AND state = 'claimed' AND run_id = ?",
            (
                state.value,
                f.due_at or 0,
                f.error_class.value,
                as_text(f.error),
                now,
                f.work.item_id,
                run_id,
            ),
        )
        if not settled.rowcount:
            continue  # the claim was lost: the failure is nobody's
        db.execute(
            "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome, "
            "error_class, error, request_id) VALUES (?, ?, ?, ?, ?, 'failed', ?, ?, ?)",
            (
                f.work.item_id,
                f.work.attempts + 1,
                run_id,
                now,
                f.seconds,
                f.error_class.value,
                as_text(f.error),
                f.request_id,
            ),
        )
        forget_unwanted(db, f.work.item_id)
