"""What a merge added, and what it found to differ."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_SHOWN = 20
"""Conflicts of a kind that are shown; all are counted."""


@dataclass(slots=True)
class MergeReport:
    """Rows added by table, and conflicts by kind. Nothing of this manifest was removed."""

    host: str  # where the other manifest is from; '' is this machine
    added: dict[str, int] = field(default_factory=dict)
    conflicts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    not_read: int = 0  # files that the other host has not read yet: nothing is known of their bytes

    def conflict(self, kind: str, found: list[str]) -> None:
        """These differ; this manifest's version is kept unless the kind says otherwise."""
        if found:
            self.conflicts[kind] = self.conflicts.get(kind, 0) + len(found)
            shown = self.examples.setdefault(kind, [])
            shown += found[: MOST_SHOWN - len(shown)]
