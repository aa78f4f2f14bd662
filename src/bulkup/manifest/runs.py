"""Runs and the claims that they hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.release import forget_unwanted, release_all_claims

STRIKES = 3
"""With so many strikes an item is dead whose worker is lost while its run goes on."""

RUN_STRIKES = 10
"""With so many strikes an item is dead whose run vanished. More than STRIKES: whoever kills runs
may meet the same item again and again, most of all the last one."""


class RunRow(NamedTuple):
    """A run as the manifest has it; `run.heartbeat` decides whether it is alive."""

    id: str
    command: str
    host: str
    pid: int
    process_started: str
    started_at: float
    heartbeat_at: float


class Runs(Statements):
    """Processes of bulkup that work on the manifest."""

    def begin(self, run: RunRow) -> None:
        """The run is at work from now on."""
        self._write(
            "INSERT INTO run (id, command, host, pid, process_started, started_at, heartbeat_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            *run,
        )

    def beat(self, run_id: str, *, now: float) -> None:
        """Record a heartbeat."""
        self._write("UPDATE run SET heartbeat_at = ? WHERE id = ?", now, run_id)

    def end(
        self, run_id: str, *, now: float, exit_code: int, summary: Mapping[str, object]
    ) -> None:
        """The run is over; claims that it still holds are ready again, uncounted."""
        with self._transaction():
            release_all_claims(self._db, run_id)
            self._db.execute(
                "UPDATE run SET ended_at = ?, heartbeat_at = ?, exit_code = ?, summary = ? "
                "WHERE id = ?",
                (now, now, exit_code, json.dumps(summary), run_id),
            )
            self._end_batches(run_id, now)

    def _end_batches(self, run_id: str, now: float) -> None:
        for table in ("batch", "batch_run"):
            self._db.execute(
                f"UPDATE {table} SET ended_at = ? WHERE run_id = ? AND ended_at IS NULL",
                (now, run_id),
            )

    def open_runs(self) -> list[RunRow]:
        """Runs that have not recorded their end; some of them may be dead."""
        rows = self._db.execute(
            "SELECT id, command, host, pid, process_started, started_at, heartbeat_at FROM run "
            "WHERE ended_at IS NULL ORDER BY started_at, id"
        )
        return [RunRow(*row) for row in rows]

    def reap_dead_runs(self, is_dead: Callable[[RunRow], bool], *, now: float) -> int:
        """Void the claims of all dead runs; returns how many items came back.

        `is_dead` is asked again inside the transaction, so that two runs that reap at once do not
        strike an item twice. An upload returns to `ready` as if nothing had happened. Of the other
        stages, items that were in a worker's hands come last from now on and are tried one at a
        time; one that was alone in its stage's hands gets a strike. The end of a run says little
        about an item: it is dead at RUN_STRIKES, by a worker lost in a live run at STRIKES.
        """
        if not any(is_dead(run) for run in self.open_runs()):
            return 0
        returned = 0
        with self._transaction():
            for run in self.open_runs():
                if is_dead(run):
                    returned += self._strike(run.id) + release_all_claims(self._db, run.id)
                    self._db.execute("UPDATE run SET ended_at = ? WHERE id = ?", (now, run.id))
                    self._end_batches(run.id, now)
        return returned

    def _strike(self, run_id: str) -> int:
        """Return what the run's workers had in hand; returns how many items that are.

        Of several, any one may be to blame, or none: they get no strike. `due_at`, long past, puts
        those with fewer strikes first.
        """
        in_hand = self._db.execute(
            "SELECT id, stage FROM item WHERE run_id = ? AND state = 'claimed' "
            "AND stage <> 'upload' AND in_hand",
            (run_id,),
        ).fetchall()
        counts = Counter(stage for _, stage in in_hand)
        for item_id, stage in in_hand:
            self._db.execute(
                "UPDATE item SET strikes = strikes + ?1, due_at = strikes + ?1, priority = 3, "
                "state = CASE WHEN strikes + ?1 >= ?2 THEN 'dead' ELSE 'ready' END, "
                "error_class = CASE WHEN strikes + ?1 >= ?2 THEN 'resource' END, "
                "error = CASE WHEN strikes + ?1 >= ?2 "
                "THEN 'alone in hand when ' || ?2 || ' runs were killed' END, run_id = NULL, "
                "in_hand = 0 WHERE id = ?3 AND state = 'claimed'",
                (int(counts[stage] == 1), RUN_STRIKES, item_id),
            )
            forget_unwanted(self._db, item_id)
        return len(in_hand)
