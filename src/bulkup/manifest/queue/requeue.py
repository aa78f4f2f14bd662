"""Waiting and dead items that go back to `ready` on request."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.accepted import IS_ACCEPTED
from bulkup.manifest.queue.release import release_content
from bulkup.manifest.rows import from_sql, to_sql

_WITH_OTHER_OPTIONS = (
    # Dead uploads at a destination whose batch stored objects otherwise than this one does.
    "item.stage = 'upload' AND item.state = 'dead' AND item.destination_id = :destination "
    "AND EXISTS (SELECT 1 FROM batch AS its, batch AS this WHERE its.id = item.batch_id "
    "AND this.id = :batch AND "
    "(json_extract(its.options, '$.extras'), json_extract(its.options, '$.layout')) IS NOT "
    "(json_extract(this.options, '$.extras'), json_extract(this.options, '$.layout')))"
)


class RetryCandidate(NamedTuple):
    """One file of a waiting or dead item."""

    item_id: int
    destination_id: int
    batch_id: int | None
    stage: str
    state: str
    error_class: str | None
    error: str | None
    attempts: int
    size_bytes: int
    root: str
    folder: str
    name: str
    is_unreadable: bool  # only its name is known: it has to be scanned again


class Requeued(NamedTuple):
    """What went back to `ready`."""

    items: int
    size_bytes: int


class RetryQueue(Statements):
    """Items that may be tried again."""

    def candidates(
        self, stage: str | None, error_class: str | None, *, accepted: bool = False
    ) -> Iterator[RetryCandidate]:
        """The files of all waiting and dead items, by path; of one stage or class where given.

        Failures that were accepted are left out; with `accepted`, all others are.
        """
        rows = self._db.execute(
            "SELECT item.id, item.destination_id, item.batch_id, item.stage, item.state, "
            "item.error_class, item.error, item.attempts, item.size_bytes, root.path, "
            "folder.path, asset.name, asset.is_unreadable FROM item "
            "CROSS JOIN asset ON asset.content_id = item.content_id "
            "CROSS JOIN folder ON folder.id = asset.folder_id "
            "CROSS JOIN root ON root.id = folder.root_id "
            f"WHERE item.state IN ('waiting', 'dead') AND item.live AND {IS_ACCEPTED} = ?3 "
            "AND (?1 IS NULL OR item.stage = ?1) AND (?2 IS NULL OR item.error_class = ?2) "
            "ORDER BY root.path, folder.path, asset.name, item.id",
            (stage, error_class, accepted),
        )
        for row in rows:
            yield RetryCandidate._make((*row[:9], *map(from_sql, row[9:12]), bool(row[12])))

    def open_copies(self) -> dict[int, int]:
        """Copies that the store could make now and has not: how many, by destination."""
        return dict(
            self._db.execute(
                "SELECT object.destination_id, count(*) FROM object "
                "CROSS JOIN object AS original ON original.content_id = object.content_id "
                "AND +original.destination_id = object.destination_id "
                "AND original.kind = 'original' AND original.stored_at IS NOT NULL "
                "WHERE object.asset_id IS NOT NULL AND object.stored_at IS NULL GROUP BY 1"
            ).fetchall()
        )

    def requeue(self, items: Sequence[int], *, batch_id: int, attempts: int) -> Requeued:
        """Make those of the items that wait or are dead `ready` in a batch: urgent, and with so
        many more attempts."""
        with self._transaction():
            rows = self._db.execute(
                "UPDATE item SET state = 'ready', priority = 0, due_at = 0, strikes = 0, "
                "attempts_granted = attempts_granted + ?, batch_id = ? "
                "WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('waiting', 'dead') "
                "RETURNING size_bytes",
                (attempts, batch_id, json.dumps(items)),
            ).fetchall()
        return Requeued(len(rows), sum(row[0] for row in rows))

    def has_other_options(self, destination_id: int, batch_id: int) -> bool:
        """Whether uploads to the destination failed in batches with another layout, storage class,
        metadata or the like than this batch has."""
        values = {"destination": destination_id, "batch": batch_id}
        query = f"SELECT 1 FROM item WHERE {_WITH_OTHER_OPTIONS} LIMIT 1"
        return self._db.execute(query, values).fetchone() is not None

    def adopt_unreadable(self, items: Sequence[int], *, batch_id: int) -> None:
        """Make dead items that are scanned again part of the scan's batch; each scan is an
        attempt."""
        self._write(
            "UPDATE item SET batch_id = ?, attempts = attempts + 1 "
            "WHERE id IN (SELECT value FROM json_each(?)) AND state = 'dead'",
            batch_id,
            json.dumps(items),
        )

    def forget_readable(self, root_id: int, paths: Sequence[tuple[str, str]]) -> int:
        """Forget unreadable folders and archives, each (folder, name), that can be read now: the
        files in them have assets of their own. Returns how many there were."""
        forgotten = 0
        with self._transaction():
            for folder, name in paths:
                row = self._db.execute(
                    "DELETE FROM asset WHERE is_unreadable AND name = ? AND folder_id = "
                    "(SELECT id FROM folder WHERE root_id = ? AND path = ?) RETURNING content_id",
                    (to_sql(name), root_id, to_sql(folder)),
                ).fetchone()
                if row is not None:
                    release_content(self._db, row[0])
                    forgotten += 1
        return forgotten


def requeue_with_other_options(
    db: sqlite3.Connection, content_id: int, *, destination_id: int, batch_id: int
) -> list[tuple[int]]:
    """Make the content's upload `ready` in the batch if it failed with other options; its size.

    Its key is chosen again: the layout may be another. Part of the caller's transaction.
    """
    values = {"content": content_id, "destination": destination_id, "batch": batch_id}
    rows = db.execute(
        "UPDATE item SET state = 'ready', due_at = 0, attempts_granted = attempts, "
        f"batch_id = :batch WHERE item.content_id = :content AND {_WITH_OTHER_OPTIONS} "
        "RETURNING size_bytes",
        values,
    ).fetchall()
    if rows:
        db.execute(
            "DELETE FROM object WHERE content_id = :content AND +destination_id = :destination "
            "AND stored_at IS NULL AND kind = 'original' AND NOT EXISTS (SELECT 1 FROM upload "
            "JOIN item ON item.id = item_id WHERE item.content_id = :content "
            "AND item.destination_id = :destination)",
            values,
        )
    return rows
