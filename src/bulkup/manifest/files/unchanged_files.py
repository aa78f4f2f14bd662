"""Files that a scan finds unchanged, and what is left to do for them.

All functions are parts of a transaction that the caller has begun.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from bulkup.manifest.files.scan_rows import ScanScope
from bulkup.manifest.queue.requeue import requeue_with_other_options
from bulkup.manifest.rows import File, to_sql


def join_batch(
    db: sqlite3.Connection, scope: ScanScope, folder_id: int, files: Sequence[File]
) -> Iterator[tuple[int, bool]]:
    """Files with work left for the destination become part of the batch: the size of each such
    work and True. Where another file of the batch has the work: and False."""
    for file in files:
        rows = db.execute(
            "INSERT OR IGNORE INTO item (content_id, destination_id, stage, state, size_bytes, "
            "batch_id) SELECT content_id, ?, 'upload', 'ready', size_bytes, ? FROM asset "
            "WHERE folder_id = ? AND name = ? RETURNING size_bytes",
            (scope.destination_id, scope.batch_id, folder_id, to_sql(file.name)),
        ).fetchall()
        rows += db.execute(
            "UPDATE item SET batch_id = ? WHERE stage = 'upload' AND destination_id = ? "
            "AND state IN ('ready', 'waiting') AND batch_id IS NOT ? AND content_id = "
            "(SELECT content_id FROM asset WHERE folder_id = ? AND name = ?) "
            "RETURNING size_bytes",
            (
                scope.batch_id,
                scope.destination_id,
                scope.batch_id,
                folder_id,
                to_sql(file.name),
            ),
        ).fetchall()
        if scope.requeues_failed:
            rows += _requeue(db, scope, folder_id, file)
        yield from ((size, True) for (size,) in rows)
        if not rows and scope.is_new_batch and _came_with_another_file(db, scope, folder_id, file):
            yield file.size_bytes, False


def _came_with_another_file(
    db: sqlite3.Connection, scope: ScanScope, folder_id: int, file: File
) -> bool:
    """Whether another file with the same bytes brought its upload into this batch."""
    found = db.execute(
        "SELECT 1 FROM asset JOIN item ON item.content_id = asset.content_id "
        "WHERE folder_id = ? AND name = ? AND stage = 'upload' AND destination_id = ? "
        "AND batch_id = ?",
        (folder_id, to_sql(file.name), scope.destination_id, scope.batch_id),
    )
    return found.fetchone() is not None


def _requeue(
    db: sqlite3.Connection, scope: ScanScope, folder_id: int, file: File
) -> list[tuple[int]]:
    query = "SELECT content_id FROM asset WHERE folder_id = ? AND name = ?"
    (content_id,) = db.execute(query, (folder_id, to_sql(file.name))).fetchone()
    return requeue_with_other_options(
        db, content_id, destination_id=scope.destination_id, batch_id=scope.batch_id
    )
