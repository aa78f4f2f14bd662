"""Failures that the user accepted: dead items that are no longer reported as failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from bulkup.manifest.database.sql import Statements

IS_ACCEPTED: Final = (
    # After another attempt it is a failure again.
    "(item.state = 'dead' AND EXISTS (SELECT 1 FROM accepted_failure AS known "
    "WHERE known.item_id = item.id AND known.attempts = item.attempts))"
)
"""Of a row of `item`."""

STATE_OR_ACCEPTED: Final = f"CASE WHEN {IS_ACCEPTED} THEN 'accepted' ELSE item.state END"
"""The state of a row of `item`, accepted failures told apart."""


class AcceptedFailures(Statements):
    """Which dead items were accepted."""

    def accept(self, items: Sequence[int], *, now: float) -> int:
        """Accept those of the items that are dead; returns how many."""
        return self._write(
            "INSERT INTO accepted_failure (item_id, attempts, accepted_at) "
            "SELECT id, attempts, ? FROM item WHERE state = 'dead' "
            "AND id IN (SELECT value FROM json_each(?)) ON CONFLICT (item_id) DO UPDATE SET "
            "attempts = excluded.attempts, accepted_at = excluded.accepted_at",
            now,
            json.dumps(items),
        )

    def undo(self, items: Sequence[int]) -> int:
        """Count accepted failures as failures again; returns how many."""
        return self._write(
            "DELETE FROM accepted_failure WHERE item_id IN (SELECT value FROM json_each(?))",
            json.dumps(items),
        )
