"""What the objects of a listing are."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bulkup.manifest.database.sql import Statements


class ObjectQueries(Statements):
    """Objects by their keys."""

    def kinds(self, destination_id: int, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Kind (original, copy or a variant's name) and digest of the objects that are recorded."""
        rows = self._db.execute(
            "SELECT key, kind, lower(hex(coalesce(variant_digest, content.digest))) FROM object "
            "JOIN content ON content.id = content_id WHERE destination_id = ? "
            "AND key IN (SELECT value FROM json_each(?))",
            (destination_id, json.dumps(keys)),
        )
        return {key: (kind, digest) for key, kind, digest in rows}
