"""Destinations: where they are and what was learned of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql, to_sql


class Destination(NamedTuple):
    """A destination and what was learned of it."""

    id: int
    url: str
    endpoint_url: str
    region: str | None
    profile: str | None
    addressing_style: str | None
    conditional_writes: bool | None
    checksums: bool | None
    learned_limit: int | None
    learned_rate: float | None
    learned_at: float | None
    holds_objects: bool = False  # as far as the manifest knows
    is_reached: bool = False  # something was ever stored there


_HOLDS_OBJECTS = (
    "(EXISTS (SELECT 1 FROM tally WHERE destination_id = destination.id AND stage = 'upload' "
    "AND state = 'done' AND items > 0) "
    # Those that `rebuild` found and no file has: only files count in `tally`.
    "OR EXISTS (SELECT 1 FROM object WHERE destination_id = destination.id "
    "AND stored_at IS NOT NULL))"
)
IS_REACHED = (
    f"(conditional_writes IS NOT NULL OR learned_at IS NOT NULL OR {_HOLDS_OBJECTS} "
    "OR EXISTS (SELECT 1 FROM upload WHERE destination_id = destination.id))"
)
LEADS_TO = (  # of a row of `root`
    "coalesce((SELECT id FROM destination WHERE id = root.destination_id "
    f"AND {IS_REACHED}), root.reached_id, root.destination_id)"
)
_DESTINATION = (
    "SELECT id, url, endpoint_url, region, profile, addressing_style, conditional_writes, "
    "checksums, learned_limit, learned_rate, learned_at, "
    f"{_HOLDS_OBJECTS}, {IS_REACHED} FROM destination "
)


class Destinations(Statements):
    """All destinations that were ever pushed to."""

    def add(
        self,
        url: str,
        *,
        endpoint_url: str,
        region: str | None,
        profile: str | None,
        addressing_style: str | None = None,
    ) -> Destination:
        """The destination's row, made when it is new. What is not None is updated, unless the
        destination was reached with what it has: `update_access` does that, after a success."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO destination (url, endpoint_url, region, profile, addressing_style) "
                "VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET region = coalesce(excluded.region, region), "
                "profile = coalesce(excluded.profile, profile), "
                "addressing_style = coalesce(excluded.addressing_style, addressing_style) "
                f"WHERE NOT {IS_REACHED}",
                (url, endpoint_url, region, profile, addressing_style),
            )
        (found,) = self._found("WHERE url = ? AND endpoint_url = ?", url, endpoint_url)
        return found

    def update_access(
        self,
        destination_id: int,
        *,
        region: str | None,
        profile: str | None,
        addressing_style: str | None,
    ) -> None:
        """Remember how the destination was reached; what is None stays."""
        self._write(
            "UPDATE destination SET region = coalesce(?, region), profile = coalesce(?, profile), "
            "addressing_style = coalesce(?, addressing_style) WHERE id = ?",
            region,
            profile,
            addressing_style,
            destination_id,
        )

    def all(self) -> list[Destination]:
        """All destinations, in the order in which they were first used."""
        return self._found("ORDER BY id")

    def of_root(self, root: str) -> Destination | None:
        """Where a push of the root goes: to the last destination that was reached, else to the
        last one."""
        found = self._found(
            f"WHERE id = (SELECT {LEADS_TO} FROM root WHERE path = ?)", to_sql(root)
        )
        return found[0] if found else None

    def of_roots(self) -> dict[str, Destination]:
        """All roots that were pushed, and where a push of each goes."""
        by_id = {one.id: one for one in self.all()}
        rows = self._db.execute(
            f"SELECT path, {LEADS_TO} FROM root WHERE destination_id IS NOT NULL ORDER BY id"
        )
        return {from_sql(path): by_id[destination_id] for path, destination_id in rows}

    def some_files(self, root: str, *, limit: int = 20) -> list[tuple[str, int, int]]:
        """Some files of a root that lie in no archive: path below it, size, mtime in ns."""
        rows = self._db.execute(
            "SELECT folder.path, name, size_bytes, modified_ns FROM asset "
            "JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id "
            "WHERE root.path = ? AND is_unreadable = 0 AND folder.path NOT LIKE '%#%' LIMIT ?",
            (to_sql(root), limit),
        )
        return [(from_sql(row[0]) + from_sql(row[1]), row[2], row[3]) for row in rows]

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
        """Remember what an endpoint supports, and the request limit and rate that it withstands."""
        with self._transaction():
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

    def url_bindings(self, destination_id: int) -> frozenset[str] | None:
        """What signed URLs bind there, see `learn_url_bindings`; None: nobody has probed it."""
        names = self._value("SELECT url_bindings FROM destination WHERE id = ?", destination_id)
        return None if names is None else frozenset(json.loads(names))

    def learn_url_bindings(self, destination_id: int, names: Iterable[str]) -> None:
        """Remember which of 'length', 'digest' and 'absence' signed URLs were found to bind."""
        self._write(
            "UPDATE destination SET url_bindings = ? WHERE id = ?",
            json.dumps(sorted(names)),
            destination_id,
        )

    def _found(self, which: str, *values: object) -> list[Destination]:
        return [_destination(row) for row in self._db.execute(_DESTINATION + which, values)]


def _destination(row: tuple[Any, ...]) -> Destination:
    flags = (None if value is None else bool(value) for value in row[6:8])
    values = (*row[:6], *flags, *row[8:11], bool(row[11]), bool(row[12]))
    return Destination(*values)
