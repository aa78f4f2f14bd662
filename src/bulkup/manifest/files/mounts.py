"""File systems that were mounted at or below roots: to unmount one deletes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable

from bulkup.manifest.database.sql import Statements


class KnownMounts(Statements):
    """The mount points of every root, relative to it; '' is the root itself."""

    def of_root(self, root_id: int) -> frozenset[str]:
        """All that were ever seen."""
        return frozenset(json.loads(self._value("SELECT mounts FROM root WHERE id = ?", root_id)))

    def add(self, root_id: int, mounts: Iterable[str]) -> None:
        """Remember more of them."""
        known = self.of_root(root_id)
        if not known.issuperset(mounts):
            with self._transaction():
                self._db.execute(
                    "UPDATE root SET mounts = ? WHERE id = ?",
                    (json.dumps(sorted(known.union(mounts))), root_id),
                )
