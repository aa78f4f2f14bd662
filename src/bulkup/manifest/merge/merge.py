"""Joins another manifest to this one. What both know is compared; nothing known here is removed.

All statements are about many rows at once. Each transaction is bounded, so that other processes
may work meanwhile; a merge that was cut short is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bulkup.errors import ManifestCorrupt, ManifestReadOnly
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.merge import history, places, results
from bulkup.manifest.merge.other import damage_of, of_this_schema
from bulkup.manifest.merge.report import MergeReport
from bulkup.manifest.rows import Text, from_sql, to_sql

CHUNK_ROWS: Final = 20_000
"""Of the other manifest in one transaction, which takes about half a second."""

_READ_MODES: Final = ("mode=ro", "immutable=1")
"""The second where no -shm file can be made beside the other manifest."""

_TEMPORARY: Final = "SELECT name FROM temp.sqlite_master WHERE name LIKE 'merge_%'"

COUNTED: Final = ("content", "asset", "object", "item", "picture", "embedding", "album", "run")


class Merge(Statements):
    """Takes in other manifests."""

    def take_in(self, path: str, *, here: str, host: str | None = None) -> MergeReport:
        """Join the manifest at `path`, which exists.

        `here` is this machine's name. `host` is that of the machine where the other manifest's
        own roots are; by default that of its last run. Raises ManifestError and UsageError.
        """
        with self._transaction():  # nothing is attached while another program has the lock
            before = self._counts()
        try:
            with of_this_schema(path, beside=self._db.path) as other:
                return self._join(other, before, here, host)
        except ManifestCorrupt as error:
            raise damage_of(path) or error from error

    def _join(self, path: str, before: dict[str, int], here: str, host: str | None) -> MergeReport:
        with self._attached(path):
            host = self._host_of_other() if host is None else host
            report = MergeReport("" if host in (None, here) else host or "")
            self._take_in_places(report, here)
            self._take_in_results(report)
            self._take_in_history()
            after = self._counts()
            report.added = {name: after[name] - before[name] for name in COUNTED}
            report.not_read = self._value(places.NOT_READ)
        return report

    @contextmanager
    def _attached(self, path: str) -> Iterator[None]:
        self._attach(path)
        try:
            for statement in places.MAPS.split(";"):
                self._db.execute(statement)
            try:
                yield
            finally:
                for name in self._column(_TEMPORARY):
                    self._db.execute(f"DROP TABLE temp.{name}")
        finally:
            self._db.execute("DETACH other")

    def _attach(self, path: str) -> None:
        """Attach for reading only: else each transaction would lock the other manifest, too, which
        a push may be writing to, or which may be on a medium that cannot be written."""
        for mode in _READ_MODES:
            self._db.execute("ATTACH ? AS other", (f"{Path(path).absolute().as_uri()}?{mode}",))
            try:
                self._db.execute("SELECT count(*) FROM other.sqlite_schema")
            except ManifestReadOnly:
                self._db.execute("DETACH other")
                if mode == _READ_MODES[-1]:
                    raise
            else:
                return

    def _host_of_other(self) -> str | None:
        """The machine where the other manifest's last run was; None when it has had none."""
        found = self._value("SELECT host FROM other.run ORDER BY started_at DESC LIMIT 1")
        return None if found is None else str(found).partition("/")[0]

    def _counts(self) -> dict[str, int]:
        return {name: self._value(f"SELECT count(*) FROM main.{name}") for name in COUNTED}

    # The steps ------------------------------------------------------------------------------------

    def _take_in_places(self, report: MergeReport, here: str) -> None:
        self._at_once(places.DESTINATIONS)
        self._in_chunks("content", places.CONTENTS)
        self._take_in_roots(report.host, here)
        self._in_chunks("folder", places.FOLDERS)
        kind = "files that differ; this manifest's version is kept"
        self._find_conflicts(report, kind, "asset", places.CONFLICTING_ASSETS)
        self._in_chunks("asset", places.ASSETS)

    def _take_in_roots(self, host: str, here: str) -> None:
        """Roots of other hosts are called HOST:PATH here. The other manifest's own roots are newer
        there; of a third host's, those that were walked later."""
        with self._transaction():
            rows = self._db.execute("SELECT id, path, host, walked_at FROM other.root").fetchall()
            for other_id, path, their_host, walked_at in rows:
                owner = their_host or host
                owner = "" if owner == here else owner
                named = _named(path, their_host, owner)
                known = self._db.execute(
                    "SELECT id, coalesce(walked_at, 0) < ? FROM root WHERE path = ?",
                    (walked_at or 0, named),
                ).fetchone()
                if known is None:
                    new = self._insert(
                        "INSERT INTO root (path, host, walked_at, mounts, destination_id, "
                        "reached_id) SELECT ?, ?, walked_at, mounts, "
                        "(SELECT id FROM merge_destination WHERE other_id = destination_id), "
                        "(SELECT id FROM merge_destination WHERE other_id = reached_id) "
                        "FROM other.root WHERE id = ?",
                        named,
                        owner,
                        other_id,
                    )
                    known = (new, True)
                root_id, is_later = known
                is_newer = bool(owner) and (not their_host or bool(is_later))
                is_newer = is_newer and self._is_of_same_machine(other_id, root_id)
                self._db.execute(
                    "INSERT INTO merge_root VALUES (?, ?, ?)", (other_id, root_id, is_newer)
                )
                if is_newer:
                    self._db.execute(
                        "UPDATE root SET walked_at = max(coalesce(walked_at, 0), ?) WHERE id = ?",
                        (walked_at or 0, root_id),
                    )

    def _is_of_same_machine(self, other_id: int, root_id: int) -> bool:
        """Whether the root here is theirs, and not that of another machine of this name: it has no
        files here, or a run or a file that both know."""
        return any(
            self._value(query, *values)
            for query, values in (
                (places.KNOWN_RUN, ()),
                (places.KNOWN_FILE, (other_id, root_id)),
                (places.NO_FILES, (root_id,)),
            )
        )

    def _take_in_results(self, report: MergeReport) -> None:
        kind = "keys under which the other manifest knows another content"
        self._find_conflicts(report, kind, "content", results.CONFLICTING_OBJECTS)
        self._in_chunks("content", results.OBJECTS)
        self._in_chunks("item", results.ITEMS)
        self._in_chunks("attempt", results.ATTEMPTS)
        names = self._columns("picture", "content_id")
        ours, theirs = (", ".join(f"{table}.{n}" for n in names) for table in ("ours", "theirs"))
        query = results.CONFLICTING_PICTURES.format(ours=ours, theirs=theirs)
        kind = "pictures of which the other manifest has other facts"
        self._find_conflicts(report, kind, "content", query)
        self._in_chunks("content", _with_columns(results.PICTURES, names))
        sidecar = self._columns("sidecar", "asset_id")
        self._in_chunks("asset", _with_columns(results.SIDECARS, sidecar))
        self._at_once(results.EMBEDDERS)
        kind = "pictures of which the other manifest has another vector"
        self._find_conflicts(report, kind, "embedding", results.CONFLICTING_EMBEDDINGS)
        self._in_chunks("embedding", results.EMBEDDINGS)

    def _take_in_history(self) -> None:
        self._at_once(history.ALBUMS)
        notes = self._columns("takeout_note", "id", "root_id")
        self._at_once(_with_columns(history.NOTES, notes))
        self._at_once(history.RUNS)

    # How they run ---------------------------------------------------------------------------------

    def _columns(self, table: str, *without: str) -> list[str]:
        names = self._column(f"SELECT name FROM pragma_table_info('{table}')")
        return [name for name in names if name not in without]

    def _at_once(self, statements: Sequence[str]) -> None:
        with self._transaction():
            for statement in statements:
                self._db.execute(statement)

    def _in_chunks(self, table: str, statements: Sequence[str]) -> None:
        """Run the statements for all ids of the other manifest's table, some at a time."""
        for bounds in self._chunks(table):
            with self._transaction():
                for statement in statements:
                    self._db.execute(statement, bounds)

    def _find_conflicts(self, report: MergeReport, kind: str, table: str, query: str) -> None:
        for bounds in self._chunks(table):
            rows = self._db.execute(query, bounds)
            report.conflict(kind, [_shown(row[0]) for row in rows])

    def _chunks(self, table: str) -> Iterator[dict[str, int]]:
        """Bounds of ids with so many rows between them, whatever gaps there are."""
        last = -1
        while True:
            first = self._value(f"SELECT min(id) FROM other.{table} WHERE id > ?", last)
            if first is None:
                return
            last = self._value(
                f"SELECT max(id) FROM (SELECT id FROM other.{table} WHERE id >= ? "
                "ORDER BY id LIMIT ?)",
                first,
                CHUNK_ROWS,
            )
            yield {"first": first, "last": last}


def _named(path: Text, their_host: str, owner: str) -> Text:
    """How a root is called here: its path on this machine, HOST:PATH for that of another one."""
    bare = from_sql(path).removeprefix(f"{their_host}:" if their_host else "")
    return to_sql(f"{owner}:{bare}" if owner else bare)


def _with_columns(statements: Sequence[str], names: Sequence[str]) -> list[str]:
    return [statement.format(columns=", ".join(names)) for statement in statements]


def _shown(value: Text) -> str:
    return from_sql(value)
