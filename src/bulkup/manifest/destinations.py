"""Destinations: where they are and what was learned of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import to_sql


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


class Destinations(Statements):
    """All destinations that were ever pushed to."""

    def add(
        self, url: str, *, endpoint_url: str, region: str | None, profile: str | None
    ) -> Destination:
        """The destination's row, made when it is new; region and profile are updated."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO destination (url, endpoint_url, region, profile) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET region = coalesce(excluded.region, region), "
                "profile = coalesce(excluded.profile, profile)",
                (url, endpoint_url, region, profile),
            )
        (found,) = self._found("WHERE url = ? AND endpoint_url = ?", url, endpoint_url)
        return found

    def all(self) -> list[Destination]:
        """All destinations, in the order in which they were first used."""
        return self._found("ORDER BY id")

    def of_root(self, root: str) -> Destination | None:
        """Where the root was last pushed to."""
        found = self._found(
            "WHERE id = (SELECT destination_id FROM root WHERE path = ?)", to_sql(root)
        )
        return found[0] if found else None

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

    def _found(self, which: str, *values: object) -> list[Destination]:
        return [_destination(row) for row in self._db.execute(_DESTINATION + which, values)]


def _destination(row: tuple[Any, ...]) -> Destination:
    flags = (None if value is None else bool(value) for value in row[5:7])
    values = (*row[:5], *flags, *row[7:10], bool(row[10]))
    return Destination(*values)
