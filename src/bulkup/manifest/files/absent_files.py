"""Files that a scan does not find, does not want, or cannot read.

All functions are parts of a transaction that the caller has begun.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from bulkup.manifest.queue.release import forget_unsendable, release_content
from bulkup.manifest.rows import File, Known, Unreadable, as_text, to_sql


def mark_missing(db: sqlite3.Connection, gone: Sequence[Known], now: float) -> None:
    """Missing files stay known; one whose bytes are at no destination is forgotten, and with
    it what was still to be done for it."""
    for known in gone:
        if _is_unsent(db, known.content_id):
            _forget(db, known.asset_id, known.content_id)
            continue
        db.execute(
            "UPDATE asset SET missing_at = ? WHERE id = ? AND missing_at IS NULL",
            (now, known.asset_id),
        )
        forget_unsendable(db, known.content_id)
        _accept_failures(db, known.content_id, (), now)


def mark_folders_missing(db: sqlite3.Connection, folders: Sequence[int], now: float) -> int:
    """All files of the folders are missing; returns how many more are."""
    gone = [
        Known(File("", 0, 0, 0, 0), row[0], row[1], is_missing=False)
        for folder_id in folders
        for row in db.execute(
            "SELECT id, content_id FROM asset WHERE folder_id = ? AND missing_at IS NULL",
            (folder_id,),
        ).fetchall()
    ]
    mark_missing(db, gone, now)
    return len(gone)


def _is_unsent(db: sqlite3.Connection, content_id: int) -> bool:
    """Whether the content is at no destination, nor on its way to one."""
    row = db.execute(
        "SELECT digest IS NULL OR NOT EXISTS (SELECT 1 FROM object "
        "WHERE content_id = content.id AND stored_at IS NOT NULL) AND NOT EXISTS "
        "(SELECT 1 FROM item WHERE content_id = content.id AND state = 'claimed') "
        "FROM content WHERE id = ?",
        (content_id,),
    ).fetchone()
    return row is not None and bool(row[0])


def _accept_failures(
    db: sqlite3.Connection, content_id: int, unwanted: Sequence[int], now: float
) -> None:
    """What failed for good of a content whose files are all gone or `unwanted` is accepted: nobody
    wants its thumbnail. What `free` erased is still wanted."""
    db.execute(
        "INSERT OR IGNORE INTO accepted_failure (item_id, attempts, accepted_at) "
        "SELECT id, attempts, ?2 FROM item WHERE content_id = ?1 AND stage != 'upload' "
        "AND state = 'dead' AND NOT EXISTS (SELECT 1 FROM asset WHERE asset.content_id = ?1 "
        "AND asset.id NOT IN (SELECT value FROM json_each(?3)) AND "
        "(missing_at IS NULL OR EXISTS (SELECT 1 FROM freed_asset WHERE asset_id = asset.id)))",
        (content_id, now, json.dumps(unwanted)),
    )


def _forget(db: sqlite3.Connection, asset_id: int, content_id: int) -> None:
    deleted = db.execute(
        "DELETE FROM asset WHERE id = ? AND content_id = ?", (asset_id, content_id)
    )
    if deleted.rowcount:  # else another run has seen it, too
        release_content(db, content_id)


def forget_failed(db: sqlite3.Connection, assets: Sequence[int], now: float) -> None:
    """Of files that are not wanted now, forget those whose upload failed; later failures are
    accepted."""
    if not assets:
        return
    for (content_id,) in db.execute(
        "SELECT DISTINCT asset.content_id FROM json_each(?) JOIN asset ON asset.id = value "
        "JOIN item ON item.content_id = asset.content_id AND stage != 'upload' AND state = 'dead'",
        (json.dumps(assets),),
    ).fetchall():
        _accept_failures(db, content_id, assets, now)
    for asset_id in assets:
        row = db.execute(
            "SELECT asset.id, asset.content_id FROM asset "
            "JOIN item ON item.content_id = asset.content_id AND stage = 'upload' "
            "WHERE asset.id = ? GROUP BY asset.id HAVING min(state IN ('waiting', 'dead'))",
            (asset_id,),
        ).fetchone()
        if row is not None:
            _forget(db, *row)


def mark_present(db: sqlite3.Connection, assets: Sequence[Known]) -> None:
    """The files are there again, and so are the failures that were accepted as they went."""
    db.executemany(
        "DELETE FROM accepted_failure WHERE EXISTS (SELECT 1 FROM asset JOIN item "
        "ON item.content_id = asset.content_id WHERE asset.id = ? AND item.id = item_id "
        "AND accepted_at = missing_at)",
        ((a.asset_id,) for a in assets),
    )
    db.executemany(
        "UPDATE asset SET missing_at = NULL WHERE id = ?", ((a.asset_id,) for a in assets)
    )


def mark_unreadable(
    db: sqlite3.Connection,
    folder_id: int,
    one: Unreadable,
    *,
    destination_id: int,
    batch_id: int,
    now: float,
) -> None:
    """What cannot be read is an asset with a dead item and the reason, until `retry` or a change;
    a file that could be read once stays as it was."""
    name = to_sql(one.name)
    content_id, is_unreadable = db.execute(
        "SELECT content_id, is_unreadable FROM asset WHERE folder_id = ? AND name = ?",
        (folder_id, name),
    ).fetchone() or (_add_unreadable(db, folder_id, name), True)
    if is_unreadable:
        reason = (one.error_class.value, as_text(one.error))
        db.execute(
            "INSERT OR IGNORE INTO item (content_id, destination_id, stage, state, size_bytes, "
            "batch_id, attempts, error_class, error, settled_at) "
            "VALUES (?, ?, 'upload', 'dead', 0, ?, 1, ?, ?, ?)",
            (content_id, destination_id, batch_id, *reason, now),
        )


def _add_unreadable(db: sqlite3.Connection, folder_id: int, name: str | bytes) -> int:
    """An asset that is unreadable; the id of its content."""
    content_id = db.execute("INSERT INTO content (size_bytes) VALUES (0)").lastrowid
    assert content_id is not None
    db.execute(
        "INSERT INTO asset (folder_id, name, size_bytes, modified_ns, inode, changed_ns, "
        "content_id, is_unreadable) VALUES (?, ?, 0, 0, 0, 0, ?, 1)",
        (folder_id, name, content_id),
    )
    return content_id
