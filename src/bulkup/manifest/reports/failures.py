"""Pages of waiting and dead items, one row a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.reports.status import FailureRow, absolute


@dataclass(frozen=True, slots=True)
class FailureQuery:
    """Which failures; None: all. `matches` gets an absolute path."""

    stage: str | None = None
    state: str | None = None
    error_class: str | None = None
    matches: Callable[[str], bool] | None = None


class FileFailure(NamedTuple):
    """A file of a failed item."""

    item: int
    failure: FailureRow


class FailureCount(NamedTuple):
    """How many items failed for one reason."""

    stage: str
    state: str
    error_class: str | None
    items: int


_IS_OPEN = (
    "state IN ('waiting', 'dead') AND live AND NOT (state = 'dead' AND EXISTS "
    "(SELECT 1 FROM accepted_failure WHERE item_id = item.id "
    "AND accepted_failure.attempts = item.attempts))"
)
_WHERE = (
    f"{_IS_OPEN} AND (:stage IS NULL OR stage = :stage) "
    "AND (:state IS NULL OR state = :state) "
    "AND (:error_class IS NULL OR error_class = :error_class)"
)


class FailurePages(Statements):
    """Waiting and dead items, the newest first."""

    def page(self, query: FailureQuery, *, before: int | None, limit: int) -> list[FileFailure]:
        """At least `limit` files where there are so many, those of items below the id `before`.

        All files of an item are on one page.
        """
        values = {
            "stage": query.stage,
            "state": query.state,
            "error_class": query.error_class,
            "before": before,
        }
        items = self._db.execute(
            f"SELECT id FROM item WHERE {_WHERE} AND (:before IS NULL OR id < :before) "
            "ORDER BY id DESC",
            values,
        )
        found: list[FileFailure] = []
        for (item,) in items:
            found += [
                file
                for file in self._files(item)
                if query.matches is None or query.matches(file.failure.path)
            ]
            if len(found) >= limit:
                break
        return found

    def counts(self) -> list[FailureCount]:
        """How many failed for which reason, by stage."""
        rows = self._db.execute(
            "SELECT stage, state, error_class, count(*) FROM item "
            f"WHERE {_IS_OPEN} GROUP BY 1, 2, 3"
        )
        return [FailureCount(*row) for row in rows]

    def _files(self, item: int) -> list[FileFailure]:
        rows = self._db.execute(
            "SELECT root, path, digest, stage, state, error_class, error, attempts, "
            "next_attempt_at, destination FROM failures WHERE item = ? AND NOT accepted",
            (item,),
        )
        return [
            FileFailure(item, FailureRow(absolute(root, path), *rest)) for root, path, *rest in rows
        ]
