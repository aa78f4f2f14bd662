"""What only the upload stage does with its items. Every change of state names both states."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.accepted import STATE_OR_ACCEPTED
from bulkup.manifest.queue.claim import ITEM_COLUMNS, ITEMS_WITH_FILES, work_item
from bulkup.manifest.queue.register import Registration, SpareKey, reserve
from bulkup.manifest.queue.settle import NotAsExpected, enqueue_after, settle_uploaded
from bulkup.manifest.rows import (
    Copy,
    Read,
    Registered,
    UploadedItem,
    WorkItem,
    from_sql,
)
from bulkup.model import Stage

_FAILED_OR_TAKEN = (
    # CROSS JOIN: from the few items to their files, never from all files to their items.
    f"SELECT item.stage, {STATE_OR_ACCEPTED} AS counted_as, item.run_id, item.error_class, "
    "count(DISTINCT item.id) "
    "FROM item "
    "CROSS JOIN asset ON asset.content_id = item.content_id "
    "CROSS JOIN folder ON folder.id = asset.folder_id "
    "WHERE {which} AND item.stage IN ({stages}) AND item.live "
    "AND (item.batch_id IN (SELECT value FROM json_each(:batches)) "
    "OR (item.destination_id, folder.root_id) IN ("
    "SELECT batch.destination_id, batch_root.root_id FROM batch_root "
    "JOIN batch ON batch.id = batch_root.batch_id "
    "WHERE batch.id IN (SELECT value FROM json_each(:batches)) "
    "AND json_extract(batch.options, '$.subtrees') IS NULL) "
    # A batch without roots is a stage's backlog: all that failed at its destination.
    "OR (item.stage <> 'upload' AND item.destination_id IN (SELECT batch.destination_id "
    "FROM batch WHERE batch.id IN (SELECT value FROM json_each(:batches)) "
    "AND +batch.destination_id IN (SELECT value FROM json_each(:to)) "
    "AND NOT EXISTS (SELECT 1 FROM batch_root WHERE batch_id = batch.id)))) "
    "GROUP BY item.stage, counted_as, item.run_id, item.error_class"
)


class Left(NamedTuple):
    """What is left to do: items by state, in all and of each stage."""

    ready: int = 0
    waiting: int = 0
    dead: int = 0
    claimed: int = 0
    claimed_by: tuple[tuple[str, int], ...] = ()  # run id and how many
    failures: tuple[tuple[str, int], ...] = ()  # error class and how many wait or are dead
    by_stage: tuple[tuple[str, str, int], ...] = ()  # stage, state and how many
    accepted: int = 0  # of the dead, those that were accepted; `dead` has the others

    @classmethod
    def of(cls, items: Iterable[tuple[str, str, str | None, str | None, int]]) -> Left:
        """Of stage, state, run id, error class and number of items."""
        states: Counter[str] = Counter()
        stages: Counter[tuple[str, str]] = Counter()
        failures: Counter[str] = Counter()
        holders: Counter[str] = Counter()
        for stage, state, holder, error_class, count in items:
            states[state] += count
            stages[stage, state] += count
            if state in ("waiting", "dead"):
                failures[error_class or "unknown"] += count
            if state == "claimed" and holder is not None:
                holders[holder] += count
        return cls(
            states["ready"],
            states["waiting"],
            states["dead"],
            states["claimed"],
            claimed_by=tuple(holders.items()),
            failures=tuple(failures.items()),
            by_stage=tuple((*which, count) for which, count in stages.items()),
            accepted=states["accepted"],
        )

    def at(self, stage: Stage) -> dict[str, int]:
        """How many items of one stage are ready, waiting, dead, accepted and claimed."""
        found = {state: count for name, state, count in self.by_stage if name == stage}
        states = ("ready", "waiting", "dead", "accepted", "claimed")
        return {state: found.get(state, 0) for state in states}


class UploadQueue(Statements):
    """Registers what was read and records what was uploaded. `StageQueue` claims and releases."""

    def sources(self, item_id: int) -> list[WorkItem]:
        """The item with each of the files that have its content, present ones first."""
        rows = self._db.execute(
            f"SELECT {ITEM_COLUMNS} {ITEMS_WITH_FILES} WHERE item.id = ? "
            "ORDER BY asset.missing_at IS NOT NULL, asset.id LIMIT 8",
            (item_id,),
        )
        return [work_item(row) for row in rows]

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
        """Record what was read, before a byte is sent; one transaction for all of `reads`.

        Decides which item sends each content, so that none is sent twice. Where another content
        has the key, the key is `spare_key(key, digest)`. With `copy`, the store is to copy each
        duplicate to a key of its own.
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
        """Give the content another key, as its own is taken. False: that one is taken, too."""
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
        *,
        destination_id: int,
        run_id: str,
        now: float,
        follows: Stage | None = None,
    ) -> None:
        """Record what the store has, in one transaction; failures are for `StageQueue.fail`.

        With `follows`, that stage gets an item for each content that is done.
        """
        if not done:
            return
        for as_claimed in (True, False):
            with suppress(NotAsExpected), self._transaction():
                settle_uploaded(self._db, done, destination_id, run_id, now, as_claimed=as_claimed)
                if follows is not None:
                    enqueue_after(self._db, [d.item for d in done], follows)
                return

    def stored_keys(self, digests: Iterable[str], destination_id: int) -> dict[str, str]:
        """The keys of the contents' objects, by digest; without those that are not stored."""
        keys = {
            digest: self._value(
                "SELECT key FROM content CROSS JOIN object ON content_id = content.id "
                "WHERE digest = ? AND +destination_id = ? AND kind = 'original' "
                "AND stored_at IS NOT NULL LIMIT 1",
                bytes.fromhex(digest),
                destination_id,
            )
            for digest in digests
        }
        return {digest: key for digest, key in keys.items() if key is not None}

    def holds_any(self, items: Sequence[int], *, run_id: str) -> bool:
        """Whether the run still claims any of the items."""
        found = self._value(
            "SELECT 1 FROM item WHERE id IN (SELECT value FROM json_each(?)) "
            "AND state = 'claimed' AND run_id = ? LIMIT 1",
            json.dumps(items),
            run_id,
        )
        return found is not None

    def left(
        self,
        batches: Sequence[int],
        run_id: str,
        stages: Sequence[Stage] = (Stage.UPLOAD,),
        destinations: Sequence[int] = (),
    ) -> Left:
        """What is left to do at `stages`: of the batches, and of earlier batches of their roots.

        `claimed` is what other runs than this one hold. Of a batch that scanned only parts of a
        root, the rest of the root is not counted. What is ready is counted of the batches alone;
        after the upload, of all batches at `destinations`.
        """
        named = ", ".join(f"'{stage}'" for stage in stages)
        chosen = {"run": run_id, "batches": json.dumps(batches), "to": json.dumps(destinations)}
        found = self._db.execute(
            "SELECT stage, state, NULL, NULL, count(*) FROM item "
            "WHERE state = 'ready' AND state IN ('ready', 'waiting') "
            f"AND batch_id IN (SELECT value FROM json_each(:batches)) AND stage IN ({named}) "
            "AND (stage = 'upload' "
            "OR +destination_id NOT IN (SELECT value FROM json_each(:to))) GROUP BY stage "
            "UNION ALL SELECT stage, state, NULL, NULL, items FROM tally "
            f"WHERE state = 'ready' AND stage IN ({named}) AND stage <> 'upload' AND items > 0 "
            "AND destination_id IN (SELECT value FROM json_each(:to))",
            chosen,
        ).fetchall()
        for which in (
            "item.state IN ('waiting', 'dead')",
            "item.state = 'claimed' AND item.run_id > '' AND item.run_id <> :run",
        ):
            found += self._db.execute(_FAILED_OR_TAKEN.format(which=which, stages=named), chosen)
        return Left.of(found)

    def has_pending(self, destination_id: int) -> bool:
        """Whether an upload to the destination is ready, waiting or claimed; reads a counter."""
        return bool(
            self._value(
                "SELECT sum(items) FROM tally WHERE destination_id = ? AND stage = 'upload' "
                "AND state IN ('ready', 'waiting', 'claimed')",
                destination_id,
            )
        )

    # Copies of duplicates -----------------------------------------------------------------

    def copies(self, destination_id: int, *, limit: int) -> list[Copy]:
        """Duplicates that are still to be copied and whose content is at the destination."""
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
        """Give up a copy whose key is taken: the duplicate then shares its original's object."""
        self._write(
            "DELETE FROM object WHERE destination_id = ? AND key = ? AND stored_at IS NULL",
            destination_id,
            copy.key,
        )
