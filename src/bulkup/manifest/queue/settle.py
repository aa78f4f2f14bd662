"""The end of attempts: done, skipped or failed.

All functions are parts of a transaction that the caller has begun.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence

from bulkup.manifest.database.counts import count_items, uncount_items
from bulkup.manifest.database.sql import execute_rows
from bulkup.manifest.queue.release import forget_unwanted
from bulkup.manifest.rows import (
    FailedItem,
    SkippedItem,
    UploadedItem,
    WorkItem,
    as_text,
    latency_bucket,
)
from bulkup.manifest.runs import STRIKES
from bulkup.model import Stage

Ended = Sequence[tuple[WorkItem, float]]
"""Items, each with the seconds that its attempt took."""


_DONE = (
    "UPDATE item SET state = 'done', run_id = NULL, in_hand = 0, reason = NULL, "
    "attempts = attempts + 1, priority = 1, error_class = NULL, error = NULL, "
    "settled_at = ?{more} FROM (VALUES {{rows}}) AS v "
    "WHERE id = v.column1 AND content_id = v.column2 AND state = 'claimed'{which}"
)
_COUNTED_BY_TRIGGERS = _DONE.format(more="", which="")
_COUNTED_HERE = _DONE.format(
    more=", counted = NOT counted",
    which=" AND size_bytes = v.column3 AND live AND destination_id = ? AND stage = 'upload'",
)


class NotAsExpected(Exception):
    """An item was taken over or deleted meanwhile, or its file has another size now."""


def settle_done(
    db: sqlite3.Connection, ended: Ended, stage: Stage, run_id: str, now: float
) -> None:
    """These items are done, whichever run claims them now: the results are stored.

    Another run may have taken this one for dead.
    """
    settled = execute_rows(
        db,
        _COUNTED_BY_TRIGGERS,
        [(item.item_id, item.content_id) for item, _ in ended],
        before=(now,),
    )
    if settled < len(ended):
        ended = _existing(db, ended)
    _record_attempts(db, ended, "done", stage, run_id, now)


def _settle_claimed_uploads(
    db: sqlite3.Connection, ended: Ended, destination_id: int, run_id: str, now: float
) -> None:
    """As `settle_done`, with one change of the counts. Raises NotAsExpected: roll back then."""
    sizes = [item.size_bytes for item, _ in ended]
    settled = execute_rows(
        db,
        _COUNTED_HERE,
        [(item.item_id, item.content_id, item.size_bytes) for item, _ in ended],
        before=(now,),
        after=(destination_id,),
    )
    if settled < len(ended):
        raise NotAsExpected
    uncount_items(db, destination_id, Stage.UPLOAD, "claimed", sizes)
    count_items(db, destination_id, Stage.UPLOAD, "done", sizes)
    _record_attempts(db, ended, "done", Stage.UPLOAD, run_id, now)


def _existing(db: sqlite3.Connection, ended: Ended) -> Ended:
    """Those whose item was not deleted after this run had lost it."""
    ids = json.dumps([item.item_id for item, _ in ended])
    found = db.execute("SELECT id FROM item WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    there = {row[0] for row in found}
    return [one for one in ended if one[0].item_id in there]


def settle_uploaded(
    db: sqlite3.Connection,
    done: Sequence[UploadedItem],
    destination_id: int,
    run_id: str,
    now: float,
    *,
    as_claimed: bool,
) -> None:
    """The destination has these contents. What is known of their multipart uploads is dropped.

    With `as_claimed` all items must be as they were claimed, which is quicker; raises
    NotAsExpected, and the transaction is to be rolled back, where one is not.
    """
    ended = [(d.item, d.seconds) for d in done]
    if as_claimed:
        _settle_claimed_uploads(db, ended, destination_id, run_id, now)
    else:
        settle_done(db, ended, Stage.UPLOAD, run_id, now)
    execute_rows(
        db,
        "UPDATE object SET etag = nullif(v.column1, ''), checksum = nullif(v.column2, ''), "
        "stored_at = ?, size_bytes = v.column3 FROM (VALUES {rows}) AS v "
        "WHERE destination_id = ? AND key = v.column4 AND content_id = v.column5",
        [(d.etag or "", d.checksum or "", d.size_bytes, d.key, d.item.content_id) for d in done],
        before=(now,),
        after=(destination_id,),
    )
    large = [(d.item.item_id,) for d in done if d.checksum is not None]
    db.executemany("DELETE FROM upload WHERE item_id = ?", large)


def enqueue_after(db: sqlite3.Connection, items: Sequence[WorkItem], stage: Stage) -> None:
    """Those of the items that are done by now have an item of `stage`, in the same batch."""
    execute_rows(
        db,
        "INSERT INTO item (content_id, destination_id, stage, state, live, size_bytes, "
        f"batch_id) SELECT content_id, destination_id, '{stage}', 'ready', live, size_bytes, "
        "batch_id FROM item WHERE id IN (VALUES {rows}) AND state = 'done' "
        "ON CONFLICT DO NOTHING",
        [(item.item_id,) for item in items],
    )


def settle_skipped(
    db: sqlite3.Connection,
    skipped: Sequence[SkippedItem],
    stage: Stage,
    follows: Stage | None,
    run_id: str,
    now: float,
) -> None:
    """The stage does not apply to these; nor does `follows`, for the same reason."""
    db.executemany(
        "UPDATE item SET state = 'skipped', run_id = NULL, in_hand = 0, reason = ?, "
        "attempts = attempts + 1, priority = 1, error_class = NULL, error = NULL, "
        "settled_at = ? WHERE id = ? AND state = 'claimed'",
        ((as_text(one.reason), now, one.item.item_id) for one in skipped),
    )
    ended = _existing(db, [(s.item, s.seconds) for s in skipped])
    _record_attempts(db, ended, "skipped", stage, run_id, now)
    if follows is not None:
        db.executemany(
            "INSERT INTO item (content_id, destination_id, stage, state, live, "
            "size_bytes, reason, settled_at) SELECT content_id, destination_id, "
            f"'{follows}', 'skipped', live, size_bytes, reason, settled_at FROM item "
            "WHERE id = ? AND state = 'skipped' ON CONFLICT DO NOTHING",
            ((one.item.item_id,) for one in skipped),
        )
    for one in skipped:
        forget_unwanted(db, one.item.item_id)


def _record_attempts(
    db: sqlite3.Connection, ended: Ended, outcome: str, stage: Stage, run_id: str, now: float
) -> None:
    execute_rows(
        db,
        "INSERT INTO attempt (run_id, ended_at, outcome, item_id, number, seconds) "
        "SELECT ?, ?, ?, column1, column2, column3 FROM (VALUES {rows})",
        [(item.item_id, item.attempts + 1, seconds) for item, seconds in ended],
        before=(run_id, now, outcome),
    )
    buckets = Counter(latency_bucket(seconds) for _, seconds in ended)
    db.executemany(
        "INSERT INTO latency VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts",
        ((stage.value, bucket, count) for bucket, count in buckets.items()),
    )


def settle_failed(
    db: sqlite3.Connection, failed: Sequence[FailedItem], run_id: str, now: float
) -> None:
    """These attempts failed: their items wait or are dead. A claim that was lost stays lost."""
    for one in failed:
        settled = (_strike if one.is_strike else _fail)(db, one, run_id, now)
        if not settled.rowcount:
            continue  # another run has the item now: this failure does not count
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


def _fail(db: sqlite3.Connection, one: FailedItem, run_id: str, now: float) -> sqlite3.Cursor:
    return db.execute(
        "UPDATE item SET state = ?, run_id = NULL, in_hand = 0, attempts = attempts + 1, "
        "due_at = ?, error_class = ?, error = ?, settled_at = ? "
        "WHERE id = ? AND state = 'claimed' AND run_id = ?",
        (
            "dead" if one.due_at is None else "waiting",
            one.due_at or 0,
            one.error_class.value,
            as_text(one.error),
            now,
            one.item.item_id,
            run_id,
        ),
    )


def _strike(db: sqlite3.Connection, one: FailedItem, run_id: str, now: float) -> sqlite3.Cursor:
    """Its worker was lost: last in the queue, and at three strikes dead."""
    return db.execute(
        "UPDATE item SET strikes = strikes + 1, priority = 3, run_id = NULL, in_hand = 0, "
        "attempts = attempts + 1, due_at = strikes + 1, settled_at = ?1, "
        "state = CASE WHEN strikes + 1 >= ?2 THEN 'dead' ELSE 'ready' END, "
        "error_class = CASE WHEN strikes + 1 >= ?2 THEN 'resource' ELSE ?3 END, "
        "error = CASE WHEN strikes + 1 >= ?2 "
        "THEN 'took the worker down three times' ELSE ?4 END "
        "WHERE id = ?5 AND state = 'claimed' AND run_id = ?6",
        (now, STRIKES, one.error_class.value, as_text(one.error), one.item.item_id, run_id),
    )
