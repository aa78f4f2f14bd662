"""Work items of all stages. Every change of state names both states."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.accepted import STATE_OR_ACCEPTED
from bulkup.manifest.queue.claim import (
    ITEM_COLUMNS,
    ITEMS_WITH_FILES,
    claim_items,
    next_due_at,
    work_item,
)
from bulkup.manifest.queue.release import release_claims
from bulkup.manifest.queue.settle import settle_failed, settle_skipped
from bulkup.manifest.queue.uploads import Left
from bulkup.manifest.rows import FailedItem, SkippedItem, Source, WorkItem, from_sql
from bulkup.model import Stage

BEFORE = {Stage.PROCESS: Stage.UPLOAD, Stage.EMBED: Stage.PROCESS}
"""The stage that comes before."""

_CLAIMED = (
    # SQLite takes the bare columns from the row with the minimum: a present file.
    f"SELECT {ITEM_COLUMNS}, (SELECT key FROM object WHERE object.content_id = item.content_id "
    "AND +object.destination_id = item.destination_id AND kind = 'original' "
    "AND stored_at IS NOT NULL), item.strikes, item.priority = 3, "
    "min(asset.missing_at IS NOT NULL) "
    f"{ITEMS_WITH_FILES} WHERE item.id IN (SELECT value FROM json_each(?)) GROUP BY item.id"
)


class StageScope(NamedTuple):
    """The items of a stage at one destination, or only those of one batch, which `retry` makes."""

    destination_id: int
    stage: Stage
    batch_id: int | None = None

    @property
    def condition(self) -> str:
        """For a WHERE; one index serves each of the two, item_later and item_queue."""
        if self.batch_id is None:
            return f"destination_id = :destination AND stage = '{self.stage}' AND stage <> 'upload'"
        return f"stage = '{self.stage}' AND batch_id = :batch AND +destination_id = :destination"

    @property
    def values(self) -> dict[str, object]:
        return {"destination": self.destination_id, "batch": self.batch_id}


class StageQueue(Statements):
    """Work items, claimed, released and settled; most of it is the same for all stages."""

    # Made ---------------------------------------------------------------------------------

    def enqueue_next_stage(self, destination_id: int, stage: Stage, *, now: float) -> int:
        """Make the items of `stage` for all contents that are through with the stage before it and
        have none yet; returns how many.

        What the stage before skipped is skipped here, too, for the same reason.
        """
        if not self._may_lack(destination_id, stage):
            return 0
        return self._write(
            "INSERT INTO item (content_id, destination_id, stage, state, live, size_bytes, "
            "reason, settled_at) "
            f"SELECT content_id, destination_id, '{stage}', "
            "CASE state WHEN 'done' THEN 'ready' ELSE 'skipped' END, live, size_bytes, "
            "reason, CASE state WHEN 'skipped' THEN ? END FROM item AS before "
            f"WHERE stage = '{BEFORE[stage]}' AND state IN ('done', 'skipped') AND live "
            "AND destination_id = ? AND NOT EXISTS (SELECT 1 FROM item WHERE "
            "item.content_id = before.content_id AND item.destination_id = "
            f"before.destination_id AND item.stage = '{stage}')",
            now,
            destination_id,
        )

    def _may_lack(self, destination_id: int, stage: Stage) -> bool:
        """Whether a content may lack its item: if not, the contents need not be read.

        The counts show it, unless `verify` undid as many uploads as were added since: those wait
        for the next ones.
        """
        counts: dict[str, int] = dict(
            self._db.execute(
                "SELECT stage, sum(items) FROM tally WHERE destination_id = ? "
                "AND (stage = ? OR (stage = ? AND state IN ('done', 'skipped'))) GROUP BY stage",
                (destination_id, stage.value, BEFORE[stage].value),
            ).fetchall()
        )
        return counts.get(stage.value, 0) != counts.get(BEFORE[stage].value, 0)

    def redo(self, destination_id: int, stage: Stage, *, limit: int | None) -> int:
        """Make settled items `ready` again, those settled longest ago first; returns how many.

        A skipped item may have another outcome with another version or an extra installed.
        """
        return self._write(
            "UPDATE item SET state = 'ready', priority = 1, due_at = 0, reason = NULL, "
            "attempts_granted = attempts, strikes = 0 "
            "WHERE id IN (SELECT id FROM item WHERE destination_id = ? AND stage = ? "
            "AND state IN ('done', 'skipped') AND live ORDER BY settled_at, id LIMIT ?) "
            "AND state IN ('done', 'skipped')",
            destination_id,
            stage.value,
            -1 if limit is None else limit,
        )

    # Claimed ------------------------------------------------------------------------------

    def claim(self, scope: StageScope, *, run_id: str, limit: int, now: float) -> list[WorkItem]:
        """Claim up to `limit` items that are ready, or waiting and due, for this run: urgent before
        normal before low, suspects last, and then oldest first."""
        values = {**scope.values, "run": run_id, "now": now}
        with self._transaction():
            claimed = claim_items(self._db, scope.condition, values, limit=limit)
            rows = self._db.execute(_CLAIMED, (json.dumps(claimed),))
            found = {row[0]: work_item(row[:-1]) for row in rows}
            lost = [item for item in claimed if item not in found]
            if lost:  # no file has this content any more
                release_claims(self._db, lost, run_id)
        return [found[item] for item in claimed if item in found]

    def mark_in_worker(self, items: Sequence[WorkItem], *, run_id: str) -> None:
        """A worker has these now: if it vanishes together with this run, they are suspects."""
        self._set_in_worker(items, run_id, True)

    def unmark_in_worker(self, items: Sequence[WorkItem], *, run_id: str) -> None:
        """No worker has these any more; the run still claims them."""
        self._set_in_worker(items, run_id, False)

    def _set_in_worker(self, items: Sequence[WorkItem], run_id: str, value: bool) -> None:
        with self._transaction():
            self._db.executemany(
                "UPDATE item SET in_hand = ? WHERE id = ? AND state = 'claimed' AND run_id = ?",
                ((value, item.item_id, run_id) for item in items),
            )

    def count_left(self, scope: StageScope) -> int:
        """Items of the scope that are ready or waiting: by the tally for a destination."""
        if scope.batch_id is None:
            counts = self.counts(scope.destination_id, scope.stage)
            return counts.get("ready", 0) + counts.get("waiting", 0)
        rows = self._db.execute(
            f"SELECT count(*) FROM item WHERE {scope.condition} AND state IN ('ready', 'waiting')",
            scope.values,
        )
        return int(rows.fetchone()[0])

    def next_due_at(self, scope: StageScope) -> float | None:
        """When the scope's next item falls due, 0.0 being now; None when none is left."""
        return next_due_at(self._db, scope.condition, scope.values)

    def counts(self, destination_id: int, stage: Stage) -> dict[str, int]:
        """The stage's items at a destination by state; reads the tally."""
        return dict(
            self._db.execute(
                "SELECT state, items FROM tally WHERE destination_id = ? AND stage = ?",
                (destination_id, stage.value),
            ).fetchall()
        )

    def open_destinations(self, stage: Stage) -> list[int]:
        """Destinations with items of `stage` that are ready or waiting, or that may lack some."""
        return [
            to
            for to in self._column("SELECT id FROM destination ORDER BY id")
            if self._may_lack(to, stage) or self.count_left(StageScope(to, stage))
        ]

    def left(self, stages: Sequence[Stage], run_id: str) -> Left:
        """What is left to do at these stages, at all destinations; `claimed` is what other runs
        hold."""
        found: list[tuple[Any, ...]] = []
        for stage in stages:
            found += self._db.execute(
                "SELECT stage, state, NULL, NULL, sum(items) FROM tally "
                "WHERE stage = ? AND state = 'ready' GROUP BY state",
                (stage.value,),
            )
            for which in ("state IN ('waiting', 'dead')", "state = 'claimed' AND run_id > ''"):
                found += self._db.execute(
                    f"SELECT stage, {STATE_OR_ACCEPTED}, run_id, error_class, count(*) FROM item "
                    "WHERE stage = ? "
                    f"AND {which} AND live AND run_id IS NOT ? GROUP BY 1, 2, 3, 4",
                    (stage.value, run_id),
                )
        return Left.of(found)

    # Where its bytes are ------------------------------------------------------------------

    def sources(self, content_id: int) -> list[Source]:
        """Some of the files that have the content, present ones first."""
        rows = self._db.execute(
            "SELECT folder.id, root.path, folder.path, asset.name, asset.missing_at IS NOT NULL "
            "FROM asset JOIN folder ON folder.id = asset.folder_id "
            "JOIN root ON root.id = folder.root_id WHERE asset.content_id = ? "
            "ORDER BY asset.missing_at IS NOT NULL, asset.id LIMIT 8",
            (content_id,),
        )
        return [
            Source(row[0], from_sql(row[1]), from_sql(row[2]), from_sql(row[3]), bool(row[4]))
            for row in rows
        ]

    # Settled ------------------------------------------------------------------------------

    def skip(
        self,
        passed: Sequence[SkippedItem],
        *,
        stage: Stage,
        follows: Stage | None,
        run_id: str,
        now: float,
    ) -> None:
        """The stage does not apply to these; nor does `follows`, for the same reason."""
        with self._transaction():
            settle_skipped(self._db, passed, stage, follows, run_id, now)

    def fail(self, missed: Sequence[FailedItem], *, run_id: str, now: float) -> None:
        """Record attempts that failed."""
        with self._transaction():
            settle_failed(self._db, missed, run_id, now)

    def release(self, items: Sequence[WorkItem], *, run_id: str) -> None:
        """Give claims back unattempted: the items are ready again, nothing is counted."""
        with self._transaction():
            release_claims(self._db, [item.item_id for item in items], run_id)
