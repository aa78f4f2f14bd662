"""Second chances: waiting and dead items that go back to `ready` because somebody asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.release import release_content
from bulkup.manifest.rows import from_sql, to_sql

_IS_UNREADABLE = (
    "content.digest IS NULL AND asset.inode = 0 AND asset.modified_ns = 0 AND asset.changed_ns = 0"
)
"""No walk ever saw more of it than its name: a folder or archive, or a file in one."""


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
    is_unreadable: bool  # was never seen but by name: a walk has to look at it again


class Requeued(NamedTuple):
    """What went back to `ready`."""

    items: int
    size_bytes: int


class RetryQueue(Statements):
    """Who may try again. One thread at a time; the questions work on a read-only connection."""

    def candidates(self, stage: str | None, error_class: str | None) -> Iterator[RetryCandidate]:
        """The files of all waiting and dead items, by path; of one stage or class where given."""
        rows = self._db.execute(
            "SELECT item.id, item.destination_id, item.batch_id, item.stage, item.state, "
            "item.error_class, item.error, item.attempts, item.size_bytes, root.path, "
            f"folder.path, asset.name, {_IS_UNREADABLE} FROM item "
            "CROSS JOIN content ON content.id = item.content_id "
            "CROSS JOIN asset ON asset.content_id = item.content_id "
            "CROSS JOIN folder ON folder.id = asset.folder_id "
            "CROSS JOIN root ON root.id = folder.root_id "
            "WHERE item.state IN ('waiting', 'dead') AND item.live "
            "AND (?1 IS NULL OR item.stage = ?1) AND (?2 IS NULL OR item.error_class = ?2) "
            "ORDER BY root.path, folder.path, asset.name, item.id",
            (stage, error_class),
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

    def grant(self, items: Sequence[int], *, batch_id: int, attempts: int) -> Requeued:
        """Make these items, where they still wait or are dead, `ready` in a batch: urgent, and
        with so many attempts more."""
        with self._transaction():
            rows = self._db.execute(
                "UPDATE item SET state = 'ready', priority = 0, due_at = 0, strikes = 0, "
                "attempts_granted = attempts_granted + ?, batch_id = ? "
                "WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('waiting', 'dead') "
                "RETURNING size_bytes",
                (attempts, batch_id, json.dumps(items)),
            ).fetchall()
        return Requeued(len(rows), sum(row[0] for row in rows))

    def adopt_unreadable(self, items: Sequence[int], *, batch_id: int) -> None:
        """Make dead items that a walk looks at again part of its batch; each look is an attempt."""
        with self._transaction():
            self._db.execute(
                "UPDATE item SET batch_id = ?, attempts = attempts + 1 "
                "WHERE id IN (SELECT value FROM json_each(?)) "
                "AND state = 'dead'",
                (batch_id, json.dumps(items)),
            )

    def mend(self, root_id: int, paths: Sequence[tuple[str, str]]) -> int:
        """Forget places, each (folder, name), that were unreadable and can be read now: what is in
        them has assets of its own. Returns how many there were."""
        mended = 0
        with self._transaction():
            for folder, name in paths:
                row = self._db.execute(
                    "SELECT asset.id, content.id FROM asset "
                    "JOIN folder ON folder.id = asset.folder_id "
                    "JOIN content ON content.id = asset.content_id "
                    f"WHERE root_id = ? AND folder.path = ? AND name = ? AND {_IS_UNREADABLE}",
                    (root_id, to_sql(folder), to_sql(name)),
                ).fetchone()
                if row is not None:
                    self._db.execute("DELETE FROM asset WHERE id = ?", (row[0],))
                    release_content(self._db, row[1])
                    mended += 1
        return mended
