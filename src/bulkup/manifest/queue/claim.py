"""Claiming: the same for all stages. One index serves each condition, a priority at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from bulkup.manifest.rows import WorkItem, from_sql

PRIORITIES = (0, 1, 2, 3)
"""Urgent (after `retry`), normal, low, and last the suspects: see `WorkItem`."""

ITEM_COLUMNS = (
    "item.id, item.content_id, asset.id, root.path, folder.path, asset.name, item.size_bytes, "
    "nullif(lower(hex(content.digest)), ''), item.attempts, item.attempts_granted"
)
"""For `work_item`; three more may follow: the object's key, the strikes, is_suspect."""

ITEMS_WITH_FILES = (
    "FROM item JOIN content ON content.id = item.content_id "
    "JOIN asset ON asset.content_id = item.content_id "
    "JOIN folder ON folder.id = asset.folder_id JOIN root ON root.id = folder.root_id "
)


def work_item(row: tuple[Any, ...]) -> WorkItem:
    """A row of ITEM_COLUMNS."""
    root, folder, name = from_sql(row[3]), from_sql(row[4]), from_sql(row[5])
    return WorkItem(row[0], row[1], row[2], root, folder, name, *row[6:])


def claim_items(
    db: sqlite3.Connection, condition: str, values: Mapping[str, object], *, limit: int
) -> list[int]:
    """Claim up to `limit` items for the run `:run` that fulfil the condition and are ready at
    `:now`, or waiting and due; their ids, urgent first, then oldest first."""
    claimed: list[int] = []
    for priority in PRIORITIES:
        rows = db.execute(
            "UPDATE item SET state = 'claimed', run_id = :run WHERE id IN ("
            f"SELECT id FROM item WHERE {condition} AND state IN ('ready', 'waiting') "
            "AND priority = :priority AND due_at <= :now ORDER BY due_at, id LIMIT :limit) "
            "AND state IN ('ready', 'waiting') RETURNING due_at, id",
            {**values, "priority": priority, "limit": limit - len(claimed)},
        )
        claimed += [item_id for _, item_id in sorted(rows)]
        if len(claimed) >= limit:
            break
    return claimed


def next_due_at(
    db: sqlite3.Connection, condition: str, values: Mapping[str, object]
) -> float | None:
    """When the next item that fulfils the condition falls due, 0.0 being now; None for none."""
    found = [
        db.execute(
            f"SELECT min(due_at) FROM item WHERE {condition} "
            "AND state IN ('ready', 'waiting') AND priority = :priority",
            {**values, "priority": priority},
        ).fetchone()[0]
        for priority in PRIORITIES
    ]
    return min((float(due_at) for due_at in found if due_at is not None), default=None)
