"""What `status`, `files` and `history` show. No rows are loaded only to be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bulkup.errors import ErrorClass
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.destinations import IS_REACHED
from bulkup.manifest.rows import bucket_ms, from_sql
from bulkup.model import Stage, State

_FILES = (
    "SELECT root, path, size_bytes, digest, key, upload, process, embed, destination FROM files "
    "ORDER BY root, path"
)
_STATE_AT = (
    "(SELECT state FROM item WHERE item.content_id = asset.content_id AND destination_id = :to "
    "AND stage = '{stage}')"
)
_FILES_AT = (
    # The view `files` knows the last destination of each root only.
    "SELECT root.path, folder.path || asset.name, asset.size_bytes, "
    "nullif(lower(hex(digest)), ''), "
    "(SELECT key FROM object WHERE object.content_id = asset.content_id "
    "AND +destination_id = :to AND stored_at IS NOT NULL "
    "AND (asset_id = asset.id OR kind = 'original') ORDER BY asset_id IS NULL LIMIT 1), "
    + ", ".join(_STATE_AT.format(stage=stage) for stage in ("upload", "process", "embed"))
    + ", url FROM asset JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id "
    "JOIN content ON content.id = asset.content_id JOIN destination ON destination.id = :to "
    "WHERE EXISTS (SELECT 1 FROM item WHERE item.content_id = asset.content_id "
    "AND destination_id = :to) ORDER BY 1, 2"
)


class StageStatus(NamedTuple):
    """One stage's counts by state, the bytes done, and how long its attempts take."""

    states: dict[State, int]
    bytes_done: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class DestinationStatus(NamedTuple):
    """The objects at a destination, as far as the manifest knows."""

    url: str
    objects: int
    bytes: int
    endpoint: str | None = None  # of a bucket that is not at Amazon


class Status(NamedTuple):
    """Where everything stands."""

    assets: int
    assets_bytes: int
    missing: int
    unique: int
    stages: dict[Stage, StageStatus]
    failures: dict[ErrorClass, int]
    accepted: int = 0  # failures that `failures` leaves out
    searchable: int = 0  # contents that are embedded
    destinations: Sequence[DestinationStatus] = ()


class FailureRow(NamedTuple):
    """A file whose item waits or is dead; times are ISO 8601."""

    path: str
    digest: str | None
    stage: str
    state: str
    error_class: str | None
    error: str | None
    attempts: int
    next_attempt_at: str | None
    destination: str


class FileRow(NamedTuple):
    """An asset, as `files` lists it."""

    path: str
    size_bytes: int
    digest: str | None
    key: str | None
    upload: str | None
    process: str | None
    embed: str | None
    destination: str | None


class BatchRow(NamedTuple):
    """A batch, as `history` lists it; times are ISO 8601."""

    id: int
    run: str
    command: str
    host: str
    pid: int
    destination: str
    roots: str
    started_at: str
    ended_at: str | None
    exit_code: int | None
    files: int | None
    sent: int | None
    sent_bytes: int | None
    duplicates: int | None
    duplicate_bytes: int | None
    seconds: float | None
    processed: int | None
    embedded: int | None
    error: str | None


class StatusReport(Statements):
    """Where everything stands."""

    def status(self) -> Status:
        """All counts, from the tallies: the time does not depend on the number of assets."""
        tallies = self._db.execute(
            "SELECT stage, state, sum(items), sum(bytes) FROM tally GROUP BY stage, state"
        ).fetchall()
        present, missing = self._db.execute(
            "SELECT assets, bytes FROM asset_tally ORDER BY missing"
        ).fetchall()
        return Status(
            assets=present[0] + missing[0],
            assets_bytes=present[1] + missing[1],
            missing=missing[0],
            unique=self._unique(),
            stages={stage: self._stage(stage, tallies) for stage in Stage},
            failures=self._failures(),
            accepted=sum(live for *_, live in self._accepted()),
            searchable=self._searchable(),
            destinations=self._destinations(),
        )

    def _unique(self) -> int:
        """Contents that an asset has. For one destination it is the sum of its uploads' tallies."""
        if self._value("SELECT count(*) < 2 FROM destination"):
            return int(
                self._value("SELECT coalesce(sum(items), 0) FROM tally WHERE stage = 'upload'")
            )
        # A scan of all contents would take 50 ms for a million of them. SQLite counts a whole
        # table by its pages (10 ms), and contents without an asset have an index of their own.
        return int(
            self._value(
                "SELECT (SELECT count(*) FROM content) - "
                "(SELECT count(*) FROM content WHERE assets = 0)"
            )
        )

    def _searchable(self) -> int:
        """Contents that are embedded, at whatever destination."""
        done = self._db.execute(
            "SELECT items FROM tally WHERE stage = 'embed' AND state = 'done' AND items > 0"
        ).fetchall()
        if len(done) < 2:
            return done[0][0] if done else 0
        return int(self._value("SELECT count(DISTINCT content_id) FROM embedding"))

    def _stage(self, stage: Stage, tallies: list[tuple[str, str, int, int]]) -> StageStatus:
        states = dict.fromkeys(State, 0)
        bytes_done = 0
        for name, state, items, size in tallies:
            if name == stage:
                states[State(state)] = items
                if state == State.DONE:
                    bytes_done = size
        histogram = self._db.execute(
            "SELECT bucket, attempts FROM latency WHERE stage = ? ORDER BY bucket", (stage.value,)
        ).fetchall()
        return StageStatus(
            states, bytes_done, *(percentile(histogram, share) for share in (0.5, 0.95, 0.99))
        )

    def _failures(self) -> dict[ErrorClass, int]:
        counts = dict.fromkeys(ErrorClass, 0)
        for name, count in self._db.execute(
            # In the order of the index item_failed, so that nothing has to be sorted.
            "SELECT error_class, count(*) FROM item WHERE state IN ('waiting', 'dead') "
            "GROUP BY stage, state, error_class"
        ):
            counts[ErrorClass(name or ErrorClass.UNKNOWN)] += count
        for name, count, _ in self._accepted():
            counts[ErrorClass(name or ErrorClass.UNKNOWN)] -= count
        return counts

    def _accepted(self) -> list[tuple[str | None, int, int]]:
        """How many failures of each class were accepted; and of how many there is a file still."""
        return self._db.execute(
            "SELECT error_class, count(*), sum(live) FROM accepted_failure AS known "
            "CROSS JOIN item ON item.id = known.item_id AND item.attempts = known.attempts "
            "AND item.state = 'dead' GROUP BY error_class"
        ).fetchall()

    def _destinations(self) -> list[DestinationStatus]:
        # `tally` counts what files have; what `rebuild` found without them is looked through.
        found = "FROM object WHERE destination_id = destination.id AND kind = 'original'"
        rows = self._db.execute(
            f"SELECT url, coalesce(nullif(items, 0), (SELECT count(stored_at) {found})), "
            f"coalesce(nullif(bytes, 0), (SELECT sum(size_bytes) {found} "
            "AND stored_at IS NOT NULL), 0), nullif(endpoint_url, '') FROM destination "
            "LEFT JOIN tally ON destination_id = destination.id AND stage = 'upload' "
            f"AND state = 'done' WHERE {IS_REACHED} OR EXISTS (SELECT 1 FROM batch "
            "JOIN batch_run ON batch_id = batch.id JOIN run ON run.id = batch_run.run_id "
            "WHERE batch.destination_id = destination.id AND run.ended_at IS NULL) "
            "ORDER BY destination.id"
        )
        return [DestinationStatus(*row) for row in rows]

    def claims(self) -> dict[str, int]:
        """How many items each run claims."""
        return dict(
            self._db.execute(
                "SELECT run_id, count(*) FROM item WHERE state = 'claimed' GROUP BY run_id"
            ).fetchall()
        )

    def failures(self, *, accepted: bool = False) -> Iterator[FailureRow]:
        """Every file whose item waits or is dead, by path; accepted failures, or all others."""
        rows = self._db.execute(
            "SELECT root, path, digest, stage, state, error_class, error, attempts, "
            "next_attempt_at, destination FROM failures WHERE accepted = ? "
            "ORDER BY root, path, stage",
            (accepted,),
        )
        for root, path, *rest in rows:
            yield FailureRow(absolute(root, path), *rest)

    def files(self, pattern: str | None, destination_id: int | None = None) -> Iterator[FileRow]:
        """Assets in the order of their paths, as they are at one destination, or each at the last
        one of its root. `pattern` as `matcher` takes it."""
        if destination_id is None:
            rows = self._db.execute(_FILES)
        else:
            rows = self._db.execute(_FILES_AT, {"to": destination_id})
        matches = matcher(pattern)
        for root, path, *rest in rows:
            whole = absolute(root, path)
            if matches(whole):
                yield FileRow(whole, *rest)

    def roots(self) -> list[str]:
        """All roots that have files."""
        query = (
            "SELECT path FROM root WHERE EXISTS (SELECT 1 FROM folder JOIN asset "
            "ON folder_id = folder.id WHERE root_id = root.id) ORDER BY path"
        )
        return [from_sql(path) for path in self._column(query)]

    def history(self, limit: int) -> list[BatchRow]:
        """The latest batches, newest first."""
        rows = self._db.execute(
            "SELECT * FROM batches ORDER BY started_at DESC, id DESC LIMIT ?", (limit,)
        )
        return [BatchRow(*row)._replace(roots=from_sql(row[6] or "")) for row in rows]


def percentile(histogram: list[tuple[int, int]], share: float) -> float | None:
    """The latency in ms that `share` of the attempts did not exceed, from (bucket, attempts) in
    ascending order; None when there were none."""
    total = sum(count for _, count in histogram)
    seen = 0
    for bucket, count in histogram:
        seen += count
        if seen >= share * total:
            return round(bucket_ms(bucket), 3)
    return None


def absolute(root: str | bytes, path: str | bytes) -> str:
    """An asset's path in the file system, from the columns of the `files` view."""
    return f"{from_sql(root).rstrip('/')}/{from_sql(path)}"


def matcher(pattern: str | None) -> Callable[[str], bool]:
    """Whether a path, its end after a slash, or a folder or archive that it is in matches a shell
    glob; None matches everything. `.`, `./x` and `../x` are below the current directory."""
    if pattern is None:
        return lambda _path: True
    import fnmatch
    import os
    import re

    if pattern in (".", "..") or pattern.startswith(("./", "../")):
        pattern = os.path.abspath(pattern)
    pattern = pattern.rstrip("/") or "/"
    below = (pattern, f"{pattern}/*", f"{pattern}#*")
    globs = (*below, *(f"*/{one}" for one in below))
    matches = re.compile("|".join(map(fnmatch.translate, globs))).match
    return lambda path: matches(path) is not None
