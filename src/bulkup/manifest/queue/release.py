"""What changes when a claim is given back, and when a content gains or loses an asset.

All functions are parts of a transaction that the caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from bulkup.manifest.queue.accepted import IS_ACCEPTED

UNANNOUNCED = (
    "NOT EXISTS (SELECT 1 FROM reservation WHERE reservation.content_id = object.content_id "
    "AND reservation.destination_id = object.destination_id AND NOT is_done)"
)
"""Of an object: no client of `bulkup serve` is about to upload it."""


def retain_content(db: sqlite3.Connection, content_id: int) -> None:
    """The content has one more asset. With the first one, its work counts again."""
    db.execute("UPDATE content SET assets = assets + 1 WHERE id = ?", (content_id,))
    db.execute("UPDATE item SET live = 1 WHERE content_id = ? AND NOT live", (content_id,))


def release_content(
    db: sqlite3.Connection, content_id: int, *, keeps_accepted: bool = False
) -> None:
    """The content has one asset less. With the last one, its open work ends.

    What reached a destination stays known, so that the same bytes are never sent again. With
    `keeps_accepted` so do accepted failures after the upload, as the asset may turn out to have
    the same bytes still.
    """
    assets, digest = db.execute(
        "UPDATE content SET assets = assets - 1 WHERE id = ? RETURNING assets, digest",
        (content_id,),
    ).fetchone()
    if assets > 0:
        return
    db.execute("UPDATE item SET live = 0 WHERE content_id = ?", (content_id,))
    if digest is None:
        db.execute("DELETE FROM item WHERE content_id = ?", (content_id,))
        db.execute("DELETE FROM content WHERE id = ?", (content_id,))
    else:
        forget_open(db, content_id, keeps_accepted=keeps_accepted)


def forget_open(db: sqlite3.Connection, content_id: int, *, keeps_accepted: bool = False) -> None:
    """No asset has the content: delete its unclaimed items and free the keys that are only
    reserved.

    A claimed item stays, and keeps its key: its bytes may be on their way.
    """
    db.execute(
        "DELETE FROM item WHERE content_id = ? AND NOT live "
        "AND state IN ('ready', 'waiting', 'dead') "
        f"AND NOT (? AND stage <> 'upload' AND {IS_ACCEPTED})",
        (content_id, keeps_accepted),
    )
    db.execute(
        f"DELETE FROM object WHERE content_id = ? AND stored_at IS NULL AND {UNANNOUNCED} "
        "AND NOT EXISTS (SELECT 1 FROM item WHERE item.content_id = object.content_id "
        "AND item.destination_id = object.destination_id AND item.state = 'claimed')",
        (content_id,),
    )


def forget_unsendable(db: sqlite3.Connection, content_id: int) -> None:
    """Delete the content's open uploads if none of its files is present: nothing can be sent."""
    freed = db.execute(
        "DELETE FROM item WHERE content_id = ?1 AND stage = 'upload' "
        "AND state IN ('ready', 'waiting', 'dead') AND NOT EXISTS "
        "(SELECT 1 FROM asset WHERE asset.content_id = ?1 AND missing_at IS NULL) "
        "RETURNING destination_id",
        (content_id,),
    ).fetchall()
    db.executemany(
        "DELETE FROM object WHERE content_id = ? AND +destination_id = ? AND stored_at IS NULL "
        f"AND {UNANNOUNCED}",
        ((content_id, *row) for row in freed),
    )


def forget_copies(db: sqlite3.Connection, asset_id: int) -> None:
    """The asset has other bytes now: copies of the old ones that are still to be made are not
    made."""
    db.execute("DELETE FROM object WHERE asset_id = ? AND stored_at IS NULL", (asset_id,))


def release_claims(db: sqlite3.Connection, items: Sequence[int], run_id: str) -> None:
    """These items, where the run still claims them, are ready again; unwanted ones end."""
    db.executemany(
        "UPDATE item SET state = 'ready', run_id = NULL, in_hand = 0 "
        "WHERE id = ? AND state = 'claimed' AND run_id = ?",
        ((item, run_id) for item in items),
    )
    for item in items:
        forget_unwanted(db, item)


def release_all_claims(db: sqlite3.Connection, run_id: str) -> int:
    """All items that the run claims are ready again, uncounted; returns how many."""
    unwanted = db.execute(
        "SELECT content_id FROM item WHERE run_id = ? AND state = 'claimed' AND NOT live",
        (run_id,),
    ).fetchall()
    freed = db.execute(
        "UPDATE item SET state = 'ready', run_id = NULL, in_hand = 0 "
        "WHERE run_id = ? AND state = 'claimed'",
        (run_id,),
    )
    for (content_id,) in unwanted:
        forget_open(db, content_id)
    return freed.rowcount


def forget_unwanted(db: sqlite3.Connection, item_id: int) -> None:
    """End an item that came back from a run while its content lost its last asset."""
    row = db.execute(
        "SELECT content_id FROM item WHERE id = ? AND NOT live AND state <> 'claimed'", (item_id,)
    ).fetchone()
    if row is not None:
        forget_open(db, row[0])
