"""Runs and their claims, destinations, and how batches begin and are forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bulkup.manifest.connection import sqlite_errors
from bulkup.manifest.queue.release import forget_unwanted, release_all_claims
from bulkup.manifest.rows import to_sql
from bulkup.manifest.sql import transaction

STRIKES = 3
"""After this many lost workers an item is given up (SPEC §4)."""


class RunRow(NamedTuple):
    """A run as the manifest has it; whether it is alive is for `run.liveness` to say."""

    id: str
    command: str
    host: str
    pid: int
    process_started: str
    started_at: float
    heartbeat_at: float


class Destination(NamedTuple):
    """A destination and what was learned of it."""

    id: int
    url: str
    endpoint_url: str
    region: str | None
    profile: str | None
    conditional_writes: bool | None
    checksums: bool | None
    learned_limit: int | None
    learned_rate: float | None
    learned_at: float | None
    holds_objects: bool = False  # as far as the manifest knows


_DESTINATION = (
    "SELECT id, url, endpoint_url, region, profile, conditional_writes, checksums, learned_limit, "
    "learned_rate, learned_at, EXISTS (SELECT 1 FROM tally WHERE destination_id = destination.id "
    "AND stage = 'upload' AND state = 'done' AND items > 0) FROM destination "
)


class Runs:
    """Who is at work, on what, towards where. One thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._db = connection
        self._path = path

    # Runs ---------------------------------------------------------------------------------

    def begin(self, run: RunRow) -> None:
        """The run is at work from now on."""
        with transaction(self._db, self._path):
            self._db.execute(
                "INSERT INTO run (id, command, host, pid, process_started, started_at, "
                "heartbeat_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    run.id,
                    run.command,
                    run.host,
                    run.pid,
                    run.process_started,
                    run.started_at,
                    run.heartbeat_at,
                ),
            )

    def beat(self, run_id: str, *, now: float) -> None:
        """A sign of life."""
        with transaction(self._db, self._path):
            self._db.execute("UPDATE run SET heartbeat_at = ? WHERE id = ?", (now, run_id))

    def end(
        self, run_id: str, *, now: float, exit_code: int, summary: Mapping[str, object]
    ) -> None:
        """The run is over; claims that it still holds are ready again, uncounted."""
        with transaction(self._db, self._path):
            release_all_claims(self._db, run_id)
            self._db.execute(
                "UPDATE run SET ended_at = ?, heartbeat_at = ?, exit_code = ?, summary = ? "
                "WHERE id = ?",
                (now, now, exit_code, json.dumps(summary), run_id),
            )
            self._end_batches(run_id, now)

    def _end_batches(self, run_id: str, now: float) -> None:
        self._db.execute(
            "UPDATE batch SET ended_at = ? WHERE run_id = ? AND ended_at IS NULL", (now, run_id)
        )
        self._db.execute(
            "UPDATE batch_run SET ended_at = ? WHERE run_id = ? AND ended_at IS NULL", (now, run_id)
        )

    def open_runs(self) -> list[RunRow]:
        """Runs that have not said that they are over; some of them may be gone."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT id, command, host, pid, process_started, started_at, heartbeat_at FROM run "
                "WHERE ended_at IS NULL ORDER BY started_at, id"
            )
            return [RunRow(*row) for row in rows]

    def reap_dead_runs(self, gone: Callable[[RunRow], bool], *, now: float) -> int:
        """Void the claims of all runs that are gone; returns how many items came back.

        Asked again inside the transaction, so that two buriers do not strike an item twice. An
        upload returns to `ready` as if nothing had happened. Of the other stages the items that
        were in a worker's hands get a strike, and at three of them they are dead.
        """
        if not any(gone(run) for run in self.open_runs()):
            return 0
        returned = 0
        with transaction(self._db, self._path):
            for run in self.open_runs():
                if not gone(run):
                    continue
                struck = self._db.execute(
                    "UPDATE item SET strikes = strikes + 1, priority = 3, "
                    "state = CASE WHEN strikes + 1 >= ? THEN 'dead' ELSE 'ready' END, "
                    "error_class = CASE WHEN strikes + 1 >= ? THEN 'resource' END, "
                    "error = CASE WHEN strikes + 1 >= ? "
                    "THEN 'took the worker down three times' END, run_id = NULL, in_hand = 0 "
                    "WHERE run_id = ? AND state = 'claimed' AND stage <> 'upload' AND in_hand "
                    "RETURNING id",
                    (STRIKES, STRIKES, STRIKES, run.id),
                ).fetchall()
                for (item_id,) in struck:
                    forget_unwanted(self._db, item_id)
                returned += len(struck) + release_all_claims(self._db, run.id)
                self._db.execute("UPDATE run SET ended_at = ? WHERE id = ?", (now, run.id))
                self._end_batches(run.id, now)
        return returned

    def quick_check(self) -> str | None:
        """SQLite's own check for damage; None when all is well."""
        with sqlite_errors(self._path):
            result: str = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        return None if result == "ok" else result

    # Destinations, roots, batches -----------------------------------------------------------

    def destination(
        self, url: str, *, endpoint_url: str, region: str | None, profile: str | None
    ) -> Destination:
        """The destination's row, made when it is new; region and profile are brought up to date."""
        with transaction(self._db, self._path):
            self._db.execute(
                "INSERT INTO destination (url, endpoint_url, region, profile) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET region = coalesce(excluded.region, region), "
                "profile = coalesce(excluded.profile, profile)",
                (url, endpoint_url, region, profile),
            )
        row = self._db.execute(
            _DESTINATION + "WHERE url = ? AND endpoint_url = ?", (url, endpoint_url)
        ).fetchone()
        return _destination(row)

    def destinations(self) -> list[Destination]:
        """All destinations ever pushed to."""
        return [_destination(row) for row in self._db.execute(_DESTINATION + "ORDER BY id")]

    def destination_of(self, root: str) -> Destination | None:
        """Where the root was last pushed to."""
        row = self._db.execute(
            _DESTINATION + "WHERE id = (SELECT destination_id FROM root WHERE path = ?)",
            (to_sql(root),),
        ).fetchone()
        return None if row is None else _destination(row)

    def learn(
        self,
        destination_id: int,
        *,
        conditional_writes: bool | None,
        checksums: bool | None,
        limit: int | None,
        rate: float | None,
        now: float,
    ) -> None:
        """Remember what an endpoint can do and bears."""
        with transaction(self._db, self._path):
            self._db.execute(
                "UPDATE destination SET conditional_writes = coalesce(?, conditional_writes), "
                "checksums = coalesce(?, checksums) WHERE id = ?",
                (conditional_writes, checksums, destination_id),
            )
            if limit is not None:
                self._db.execute(
                    "UPDATE destination SET learned_limit = ?, learned_rate = ?, learned_at = ? "
                    "WHERE id = ?",
                    (limit, rate, now, destination_id),
                )

    def begin_batch(
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
        """A batch over `roots`: its id, and for each root its id and whether its last walk came
        to an end towards this same destination.

        With `remembers`, that is where each root goes from now on. Without `walks`, none is to be
        walked.
        """
        with transaction(self._db, self._path):
            cursor = self._db.execute(
                "INSERT INTO batch (run_id, destination_id, options, started_at) "
                "VALUES (?, ?, ?, ?)",
                (run_id, destination_id, json.dumps(options, sort_keys=True), now),
            )
            batch_id = cursor.lastrowid
            assert batch_id is not None
            self._db.execute(
                "INSERT INTO batch_run (batch_id, run_id, started_at) VALUES (?, ?, ?)",
                (batch_id, run_id, now),
            )
            found = [self._add_root(path, destination_id, remembers) for path in roots]
            self._db.executemany(
                "INSERT OR IGNORE INTO batch_root (batch_id, root_id, walked_at) VALUES (?, ?, ?)",
                ((batch_id, root_id, None if walks else now) for root_id, _ in found),
            )
        return batch_id, found

    def _add_root(self, path: str, destination_id: int, remembers: bool) -> tuple[int, bool]:
        self._db.execute("INSERT OR IGNORE INTO root (path) VALUES (?)", (to_sql(path),))
        root_id, last, walked_at = self._db.execute(
            "SELECT id, destination_id, walked_at FROM root WHERE path = ?", (to_sql(path),)
        ).fetchone()
        if not remembers:
            return root_id, last == destination_id and walked_at is not None
        self._db.execute(
            # A walk towards another destination says nothing about what this one has.
            "UPDATE root SET destination_id = ?1, "
            "walked_at = CASE WHEN destination_id = ?1 THEN walked_at END WHERE id = ?2",
            (destination_id, root_id),
        )
        return root_id, last == destination_id and walked_at is not None

    def forget_batches(self, *, ended_before: float, only_count: bool) -> int:
        """Remove batches that ended before a time, with their runs and attempts; how many.

        One with work left stays: `resume` may go on with it.
        """
        old = (
            "SELECT id FROM batch WHERE ended_at < ? AND NOT EXISTS (SELECT 1 FROM item "
            "WHERE state IN ('ready', 'waiting') AND stage = 'upload' AND batch_id = batch.id)"
        )
        rows = self._db.execute(old, (ended_before,)).fetchall()
        if only_count or not rows:
            return len(rows)
        with transaction(self._db, self._path):
            self._db.execute(
                "DELETE FROM attempt WHERE ended_at < ? AND item_id IN "
                "(SELECT id FROM item WHERE state IN ('done', 'skipped'))",
                (ended_before,),
            )
            for table in ("batch_root", "batch_run"):
                self._db.executemany(f"DELETE FROM {table} WHERE batch_id = ?", rows)
            self._db.executemany("DELETE FROM batch WHERE id = ?", rows)
            self._db.execute(
                "DELETE FROM run WHERE ended_at < ? AND id NOT IN (SELECT run_id FROM batch_run)",
                (ended_before,),
            )
        return len(rows)


def _destination(row: tuple[Any, ...]) -> Destination:
    flags = (None if value is None else bool(value) for value in row[5:7])
    values = (*row[:5], *flags, *row[7:10], bool(row[10]))
    return Destination(*values)
