"""Work items: claimed, registered, settled. Every change of state names both states."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.register import Registration, SpareKey, reserve
from bulkup.manifest.queue.release import release_claims
from bulkup.manifest.queue.settle import enqueue_after, settle_failed, settle_uploaded
from bulkup.manifest.rows import (
    Copy,
    FailedItem,
    Read,
    Registered,
    UploadedItem,
    WorkItem,
    from_sql,
)
from bulkup.model import Digest, Stage

PRIORITIES = (0, 1, 2, 3)
"""Urgent (after `retry`), normal, low, and last the ones with strikes."""

_WORK = (
    "SELECT item.id, item.content_id, asset.id, root.path, folder.path, asset.name, "
    "item.size_bytes, content.digest, item.attempts, item.attempts_granted "
    "FROM item JOIN content ON content.id = item.content_id "
    "JOIN asset ON asset.content_id = item.content_id "
    "JOIN folder ON folder.id = asset.folder_id JOIN root ON root.id = folder.root_id "
)


class Left(NamedTuple):
    """What is left to do of a batch: its items by state."""

    ready: int
    waiting: int
    dead: int
    claimed: int
    claimed_by: tuple[tuple[str, int], ...] = ()  # run id and how many


class UploadQueue(Statements):
    """The upload stage's work items of one destination. One thread at a time."""

    def claim(self, *, batch_id: int, run_id: str, limit: int, now: float) -> list[WorkItem]:
        """Take up to `limit` items that are ready, or waiting and due, for this run.

        Urgent before normal before low, then oldest first. Nobody else gets them until they are
        settled or released, or the run is gone.
        """
        claimed: list[int] = []
        with self._transaction():
            for priority in PRIORITIES:
                rows = self._db.execute(
                    "UPDATE item SET state = 'claimed', run_id = ? WHERE id IN ("
                    "SELECT id FROM item WHERE state IN ('ready', 'waiting') AND stage = 'upload' "
                    "AND batch_id = ? AND priority = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?)"
                    " AND state IN ('ready', 'waiting') RETURNING id",
                    (run_id, batch_id, priority, now, limit - len(claimed)),
                )
                claimed += sorted(row[0] for row in rows)
                if len(claimed) >= limit:
                    break
            return self._works(claimed)

    def _works(self, items: list[int]) -> list[WorkItem]:
        """The items with one file each that has the content, a present one if there is any."""
        rows = self._db.execute(
            # SQLite takes the bare columns from the row that has the minimum.
            _WORK.replace("SELECT ", "SELECT min(asset.missing_at IS NOT NULL), ", 1)
            + "WHERE item.id IN (SELECT value FROM json_each(?)) GROUP BY item.id",
            (json.dumps(items),),
        )
        found = {row[1]: _work(row[1:]) for row in rows}
        return [found[item] for item in items if item in found]

    def sources(self, item_id: int) -> list[WorkItem]:
        """The item with each of the files that have its content, present ones first."""
        rows = self._db.execute(
            _WORK + "WHERE item.id = ? ORDER BY asset.missing_at IS NOT NULL, asset.id LIMIT 8",
            (item_id,),
        )
        return [_work(row) for row in rows]

    def register(
        self,
        reads: Sequence[Read],
        *,
        destination_id: int,
        batch_id: int,
        run_id: str,
        copy: bool,
        spare_key: SpareKey,
    ) -> list[Registered]:
        """Write down what was read, before a byte is sent; one transaction for all of `reads`.

        Settles who sends each content: nobody twice. Where another content has the key, it is
        `spare_key(key, digest)`. With `copy`, a duplicate is noted for a copy by the store under
        its own key.
        """
        with self._transaction():
            return Registration(
                self._db,
                destination_id=destination_id,
                batch_id=batch_id,
                run_id=run_id,
                copy=copy,
                spare_key=spare_key,
            ).register(reads)

    def rekey(self, work: WorkItem, *, destination_id: int, key: str, size_bytes: int) -> bool:
        """Give the content another key, its own being taken. False: that one is taken too."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM object WHERE +destination_id = ? AND content_id = ? "
                "AND kind = 'original' AND stored_at IS NULL",
                (destination_id, work.content_id),
            )
            return reserve(self._db, destination_id, key, work.content_id, size_bytes)

    def settle(
        self,
        done: Sequence[UploadedItem],
        failed: Sequence[FailedItem],
        *,
        destination_id: int,
        run_id: str,
        now: float,
        follows: Stage | None = None,
    ) -> None:
        """Record how attempts ended; one transaction. What the store has is already durable.

        With `follows` that stage has an item for each content that is done from now on.
        """
        if not done and not failed:
            return
        with self._transaction():
            if done:
                settle_uploaded(self._db, done, destination_id, run_id, now)
                if follows is not None:
                    enqueue_after(self._db, [d.item for d in done], follows)
            if failed:
                settle_failed(self._db, failed, run_id, now)

    def holds_any(self, items: Sequence[int], *, run_id: str) -> bool:
        """Whether any of the items is still claimed by the run."""
        row = self._db.execute(
            "SELECT 1 FROM item WHERE id IN (SELECT value FROM json_each(?)) "
            "AND state = 'claimed' AND run_id = ? LIMIT 1",
            (json.dumps(items), run_id),
        ).fetchone()
        return row is not None

    def release(self, items: Sequence[int], *, run_id: str) -> None:
        """Give claims back unattempted: the items are ready again, nothing is counted."""
        with self._transaction():
            release_claims(self._db, items, run_id)

    def left(
        self, batches: Sequence[int], run_id: str, stages: Sequence[Stage] = (Stage.UPLOAD,)
    ) -> Left:
        """What is left to do at `stages`: of the batches, and among what their roots brought to
        light earlier.

        `claimed` is what other runs than this one hold. Of a batch that looked at some places only,
        the rest of the root is not counted. What is ready is counted of the batches alone.
        """
        some_stages = ", ".join(f"'{stage}'" for stage in stages)
        chosen = json.dumps(batches)
        ready = self._db.execute(
            "SELECT count(*) FROM item WHERE state = 'ready' AND state IN ('ready', 'waiting') "
            f"AND batch_id IN (SELECT value FROM json_each(?)) AND stage IN ({some_stages})",
            (chosen,),
        ).fetchone()[0]
        states: Counter[str] = Counter()
        holders: Counter[str] = Counter()
        for some in (
            "item.state IN ('waiting', 'dead')",
            "item.state = 'claimed' AND item.run_id > '' AND item.run_id <> :run",
        ):
            # CROSS JOIN: from the few items to their files, never from all files to their items.
            rows = self._db.execute(
                "SELECT item.state, item.run_id, count(DISTINCT item.id) FROM item "
                "CROSS JOIN asset ON asset.content_id = item.content_id "
                "CROSS JOIN folder ON folder.id = asset.folder_id "
                f"WHERE {some} AND item.stage IN ({some_stages}) AND item.live "
                "AND (item.batch_id IN (SELECT value FROM json_each(:batches)) "
                "OR (item.destination_id, folder.root_id) IN ("
                "SELECT batch.destination_id, batch_root.root_id FROM batch_root "
                "JOIN batch ON batch.id = batch_root.batch_id "
                "WHERE batch.id IN (SELECT value FROM json_each(:batches)) "
                "AND json_extract(batch.options, '$.subtrees') IS NULL)) "
                "GROUP BY item.state, item.run_id",
                {"run": run_id, "batches": chosen},
            )
            for state, holder, count in rows:
                states[state] += count
                if holder is not None:
                    holders[holder] += count
        return Left(
            ready,
            states["waiting"],
            states["dead"],
            states["claimed"],
            tuple(holders.items()),
        )

    def next_due_at(self, batch_id: int) -> float | None:
        """When the batch's next item falls due, 0.0 being now; None when none is left."""
        # One look into the index for each priority; over all of them it would be a scan.
        found = [
            self._db.execute(
                "SELECT min(due_at) FROM item WHERE state IN ('ready', 'waiting') "
                "AND stage = 'upload' AND batch_id = ? AND priority = ?",
                (batch_id, priority),
            ).fetchone()[0]
            for priority in PRIORITIES
        ]
        return min((float(due_at) for due_at in found if due_at is not None), default=None)

    def has_pending(self, destination_id: int) -> bool:
        """Whether an upload to the destination is ready, waiting or claimed; reads a counter."""
        row = self._db.execute(
            "SELECT sum(items) FROM tally WHERE destination_id = ? AND stage = 'upload' "
            "AND state IN ('ready', 'waiting', 'claimed')",
            (destination_id,),
        ).fetchone()
        return bool(row[0])

    # Copies of duplicates -----------------------------------------------------------------

    def copies(self, destination_id: int, *, limit: int) -> list[Copy]:
        """Duplicates that wait for their copy and whose content is at the destination."""
        rows = self._db.execute(
            "SELECT object.asset_id, original.key, object.key, object.size_bytes, "
            "root.path, folder.path, asset.name FROM object "
            "CROSS JOIN object AS original ON original.content_id = object.content_id "
            "AND +original.destination_id = object.destination_id "
            "AND original.kind = 'original' AND original.stored_at IS NOT NULL "
            "CROSS JOIN asset ON asset.id = object.asset_id "
            "CROSS JOIN folder ON folder.id = asset.folder_id "
            "CROSS JOIN root ON root.id = folder.root_id "
            "WHERE object.asset_id IS NOT NULL AND +object.destination_id = ? "
            "AND object.stored_at IS NULL LIMIT ?",
            (destination_id, limit),
        )
        return [
            Copy(r[0], r[1], r[2], r[3], f"{from_sql(r[4])}/{from_sql(r[5])}{from_sql(r[6])}")
            for r in rows
        ]

    def settle_copies(
        self, copies: Sequence[tuple[Copy, str | None]], *, destination_id: int, now: float
    ) -> None:
        """The store has these copies, each with its ETag."""
        with self._transaction():
            self._db.executemany(
                "UPDATE object SET stored_at = ?, etag = ? WHERE destination_id = ? AND key = ?",
                ((now, etag, destination_id, copy.key) for copy, etag in copies),
            )

    def drop_copy(self, copy: Copy, *, destination_id: int) -> None:
        """Give up a copy whose key is taken; the duplicate then shares its original's object."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM object WHERE destination_id = ? AND key = ? AND stored_at IS NULL",
                (destination_id, copy.key),
            )


def _work(row: tuple[Any, ...]) -> WorkItem:
    digest = Digest(row[7].hex()) if row[7] is not None else None
    return WorkItem(
        row[0],
        row[1],
        row[2],
        from_sql(row[3]),
        from_sql(row[4]),
        from_sql(row[5]),
        row[6],
        digest,
        row[8],
        row[9],
    )
