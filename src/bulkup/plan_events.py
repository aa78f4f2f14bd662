"""What a dry run found, as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bulkup.events import Event, Json

Verdict = Literal[
    "send", "duplicate", "copy", "dead", "unreadable", "claimed", "over_limit", "process", "embed"
]

_VERDICTS: Mapping[Verdict, str] = {
    "send": "would send",
    "duplicate": "duplicate",
    "copy": "would copy on the server",
    "dead": "failed",
    "unreadable": "cannot be read",
    "claimed": "in progress in another run",
    "over_limit": "over --limit",
    "process": "would process",
    "embed": "would embed",
}


class FilePlanned(NamedTuple):
    """What a push would do with one file. `key` and `digest` are None if unknown."""

    path: str
    verdict: Verdict
    key: str | None
    digest: str | None
    size_bytes: int
    reason: str | None = None  # why it would not be sent


@dataclass(slots=True, eq=False, repr=False)
class FilesPlanned(Event):
    """Files that a push would act on, as found by a dry run."""

    kind = "planned"
    files: tuple[FilePlanned, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, **f._asdict()} for f in self.files]

    def __str__(self) -> str:
        return "\n".join(
            f"{_VERDICTS[f.verdict]} {f.path}"
            + (f" → {f.key}" if f.key is not None else "")
            + (f": {f.reason}" if f.reason else "")
            for f in self.files
        )
