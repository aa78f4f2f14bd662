"""Batches: begun, interrupted, taken over by another run, ended, forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.destinations import IS_REACHED
from bulkup.manifest.rows import from_sql, to_sql
from bulkup.model import Stage

_OPEN_WALKS = (
    # Roots whose walk did not end, unless it did in a later batch with the same options.
    "SELECT batch_root.batch_id, root.id, root.path FROM batch_root "
    "JOIN batch ON batch.id = batch_root.batch_id JOIN root ON root.id = batch_root.root_id "
    "WHERE batch_root.walked_at IS NULL AND NOT EXISTS ("
    "SELECT 1 FROM batch AS later JOIN batch_root AS its ON its.batch_id = later.id "
    "WHERE later.id > batch.id AND later.destination_id = batch.destination_id "
    "AND later.options = batch.options AND its.root_id = root.id AND its.walked_at IS NOT NULL) "
    "ORDER BY batch_root.batch_id, root.id"
)


_OLD = (
    "FROM batch WHERE ended_at < ? AND NOT EXISTS (SELECT 1 FROM item "
    "WHERE state IN ('ready', 'waiting') AND stage = 'upload' AND batch_id = batch.id)"
)


@dataclass(slots=True, eq=False)
class Interrupted:
    """A batch that is not done and that no run works on. Times are seconds since 1970."""

    id: int
    run_id: str  # the last one that worked on it
    destination_id: int
    options: Mapping[str, Any]
    started_at: float
    ready: int = 0
    waiting: int = 0
    size_bytes: int = 0  # of the ready and waiting
    uploads: int = 0  # multipart uploads that have begun
    open_walks: dict[str, int] = field(default_factory=dict)  # root → its id


class Batches(Statements):
    """All batches."""

    def options(self, batch_id: int | None) -> Mapping[str, Any] | None:
        """What the batch was begun with; None when it was forgotten."""
        found = self._value("SELECT options FROM batch WHERE id = ?", batch_id)
        return None if found is None else json.loads(found)

    def latest(self, destination_id: int) -> int | None:
        """The last batch towards a destination that was to upload something."""
        found: int | None = self._value(
            "SELECT max(id) FROM batch WHERE destination_id = ? "
            "AND coalesce(json_extract(options, '$.stages') LIKE '%upload%', 1)",
            destination_id,
        )
        return found

    def last_ended(self, destination_id: int) -> Interrupted | None:
        """The latest batch towards a destination, unless a run works on it."""
        latest = self.latest(destination_id)
        return next((one for one in self._without_run() if one.id == latest), None)

    def _without_run(self) -> Iterator[Interrupted]:
        for row in self._db.execute(
            "SELECT id, run_id, destination_id, options, started_at FROM batch "
            "WHERE run_id NOT IN (SELECT id FROM run WHERE ended_at IS NULL) ORDER BY id"
        ):
            yield Interrupted(row[0], row[1], row[2], json.loads(row[3]), row[4])

    def begun_with(self, destination_id: int, stage: Stage) -> list[Mapping[str, Any]]:
        """The options of the batches that have ready or waiting items of a stage after the
        upload."""
        found = self._column(
            "SELECT options FROM batch WHERE id IN (SELECT DISTINCT batch_id FROM item WHERE "
            "destination_id = ? AND stage = ? AND stage <> 'upload' "
            "AND state IN ('ready', 'waiting'))",
            destination_id,
            stage.value,
        )
        return [json.loads(options) for options in found]

    def at_work(self, destination_id: int) -> list[Mapping[str, Any]]:
        """The options of the batches that runs work on at a destination now. Dead runs must have
        been reaped."""
        found = self._column(
            "SELECT batch.options FROM batch_run JOIN batch ON batch.id = batch_run.batch_id "
            "JOIN run ON run.id = batch_run.run_id WHERE run.ended_at IS NULL "
            "AND batch_run.ended_at IS NULL AND batch.destination_id = ?",
            destination_id,
        )
        return [json.loads(options) for options in found]

    def interrupted(self) -> list[Interrupted]:
        """Batches of ended runs with work left, in their order. Dead runs must have been reaped."""
        found = {batch.id: batch for batch in self._without_run()}
        for batch_id, root_id, path in self._db.execute(_OPEN_WALKS):
            if batch_id in found:
                found[batch_id].open_walks[from_sql(path)] = root_id
        for batch_id, ready, waiting, size_bytes, uploads in self._db.execute(
            "SELECT batch_id, sum(state = 'ready'), sum(state = 'waiting'), "
            "sum(item.size_bytes), count(upload.item_id) FROM item "
            "LEFT JOIN upload ON upload.item_id = item.id "
            "WHERE state IN ('ready', 'waiting') AND stage = 'upload' GROUP BY batch_id"
        ):
            if batch_id in found:
                one = found[batch_id]
                one.ready, one.waiting = ready, waiting
                one.size_bytes, one.uploads = size_bytes, uploads
        return [b for b in found.values() if b.ready or b.waiting or b.open_walks]

    def take(self, batch_id: int, *, from_run: str, run_id: str, now: float) -> bool:
        """Make a batch of an ended run this run's. False: another run was quicker."""
        with self._transaction():
            taken = self._db.execute(
                "UPDATE batch SET run_id = ?, ended_at = NULL WHERE id = ? AND run_id = ?",
                (run_id, batch_id, from_run),
            ).rowcount
            if taken:
                self._db.execute(
                    "INSERT INTO batch_run (batch_id, run_id, started_at) VALUES (?, ?, ?)",
                    (batch_id, run_id, now),
                )
        return bool(taken)

    def done(self, batch_id: int) -> dict[Stage, tuple[int, int]]:
        """Contents of the batch that are through with each stage: how many, and their bytes.

        Reads all items: for a batch that is resumed.
        """
        rows = self._db.execute(
            "SELECT its.stage, count(*), sum(its.size_bytes) FROM item AS upload "
            "JOIN item AS its ON its.content_id = upload.content_id "
            "AND its.destination_id = upload.destination_id AND its.state IN ('done', 'skipped') "
            "WHERE upload.batch_id = ? AND upload.stage = 'upload' AND upload.state = 'done' "
            "GROUP BY its.stage",
            (batch_id,),
        )
        return {Stage(stage): (items, size_bytes) for stage, items, size_bytes in rows}

    def end(
        self,
        batch_id: int,
        *,
        run_id: str,
        now: float,
        exit_code: int,
        summary: Mapping[str, object],
    ) -> None:
        """The run has done what it could for the batch."""
        with self._transaction():
            self._db.execute(
                "UPDATE batch_run SET ended_at = ?, exit_code = ?, summary = ? "
                "WHERE batch_id = ? AND run_id = ?",
                (now, exit_code, json.dumps(summary), batch_id, run_id),
            )
            self._db.execute(
                "UPDATE batch SET ended_at = ? WHERE id = ? AND run_id = ?", (now, batch_id, run_id)
            )

    def begin(
        self,
        run_id: str,
        destination_id: int,
        roots: Sequence[str],
        *,
        options: Mapping[str, object],
        now: float,
        remembers: bool = True,
        walks: bool = True,
    ) -> tuple[int, list[tuple[int, bool]]]:
        """A batch over `roots`: its id, and for each root its id and whether its last walk ended,
        and was towards this same destination.

        With `remembers`, the roots go to this destination from now on. Without `walks`, none is to
        be walked.
        """
        with self._transaction():
            batch_id = self._insert(
                "INSERT INTO batch (run_id, destination_id, options, started_at) "
                "VALUES (?, ?, ?, ?)",
                run_id,
                destination_id,
                json.dumps(options, sort_keys=True),
                now,
            )
            self._db.execute(
                "INSERT INTO batch_run (batch_id, run_id, started_at) VALUES (?, ?, ?)",
                (batch_id, run_id, now),
            )
            found = [self._add_root(path, destination_id, remembers=remembers) for path in roots]
            self._db.executemany(
                "INSERT OR IGNORE INTO batch_root (batch_id, root_id, walked_at) VALUES (?, ?, ?)",
                ((batch_id, root_id, None if walks else now) for root_id, _ in found),
            )
        return batch_id, found

    def _add_root(self, path: str, destination_id: int, *, remembers: bool) -> tuple[int, bool]:
        self._db.execute("INSERT OR IGNORE INTO root (path) VALUES (?)", (to_sql(path),))
        root_id, last, walked_at = self._db.execute(
            "SELECT id, destination_id, walked_at FROM root WHERE path = ?", (to_sql(path),)
        ).fetchone()
        if remembers:
            self._db.execute(
                # A walk towards another destination says nothing about what this one has.
                "UPDATE root SET destination_id = ?1, reached_id = CASE WHEN EXISTS (SELECT 1 "
                f"FROM destination WHERE id = root.destination_id AND id <> ?1 AND {IS_REACHED}) "
                "THEN destination_id ELSE reached_id END, "
                "walked_at = CASE WHEN destination_id = ?1 THEN walked_at END WHERE id = ?2",
                (destination_id, root_id),
            )
        return root_id, last == destination_id and walked_at is not None

    def count_old(self, *, ended_before: float) -> int:
        """Batches that ended before a time and have no work left for `resume`."""
        return int(self._value(f"SELECT count(*) {_OLD}", ended_before))

    def forget_old(self, *, ended_before: float) -> int:
        """Remove those, with their runs and attempts; returns how many there were."""
        with self._transaction():
            forgotten = self._db.execute(f"DELETE {_OLD}", (ended_before,)).rowcount
            if forgotten:
                self._db.execute(
                    "DELETE FROM attempt WHERE ended_at < ? AND item_id IN "
                    "(SELECT id FROM item WHERE state IN ('done', 'skipped'))",
                    (ended_before,),
                )
                self._db.execute(
                    "DELETE FROM run WHERE ended_at < ? "
                    "AND id NOT IN (SELECT run_id FROM batch_run)",
                    (ended_before,),
                )
        return forgotten
