"""What happens in a pull, as values; see `bulkup.events`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bulkup.events import Event, Json

PullKind = Literal["fetched", "linked", "copied", "present"]
Verdict = Literal["fetch", "link", "copy", "present", "unavailable"]

_KINDS = {"fetched": "fetched", "linked": "linked", "copied": "copied", "present": "already there"}
_VERDICTS = {
    "fetch": "would fetch",
    "link": "would link",
    "copy": "would copy",
    "present": "already there",
    "unavailable": "cannot be fetched",
}


class PulledFileDone(NamedTuple):
    """A file that is in the folder. `path` is absolute; `key` is None where no object was read."""

    path: str
    key: str | None
    digest: str
    size_bytes: int
    how: PullKind
    seconds: float


@dataclass(slots=True, eq=False, repr=False)
class FilesPulled(Event):
    """Files of one content that have their names."""

    kind = "pulled"
    files: tuple[PulledFileDone, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, **f._asdict()} for f in self.files]

    def __str__(self) -> str:
        return "\n".join(one_line(f"{_KINDS[f.how]} {f.path}") for f in self.files)


class PullPlanned(NamedTuple):
    """What a pull would do with one file."""

    path: str
    verdict: Verdict
    key: str | None
    digest: str | None
    size_bytes: int


@dataclass(slots=True, eq=False, repr=False)
class PullsPlanned(Event):
    """Files of one content, as found by a dry run."""

    kind = "planned"
    files: tuple[PullPlanned, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, **f._asdict()} for f in self.files]

    def __str__(self) -> str:
        return "\n".join(one_line(f"{_VERDICTS[f.verdict]} {f.path}") for f in self.files)


@dataclass(slots=True, eq=False, repr=False)
class PullFailed(Event):
    """A file that could not be pulled now. The next pull tries again."""

    kind = "failed"
    path: str
    key: str | None
    digest: str | None
    error_class: str
    error: str
    stage: str = "pull"
    is_archived: bool = False  # in cold storage

    @property
    def is_trouble(self) -> bool:
        return not self.is_archived

    def __str__(self) -> str:
        return one_line(f"{self.path}: {self.error_class}: {self.error}")


@dataclass(slots=True, eq=False, repr=False)
class PullSummary(Event):
    """How a pull ended. `files` are those that were fetched, linked, copied, present, failed, or
    remain."""

    kind = "summary"
    run_id: str
    command: str
    destination: str  # the folder
    seconds: float
    files: int  # that were selected
    fetched: int  # one for each content, read once; the empty one needs no read
    fetched_bytes: int
    linked: int
    copied: int
    present: int  # files that were there before
    renamed: int  # files whose name another file has
    archived: int  # contents in cold storage
    requested: int  # of these: newly asked for
    failed: int  # files
    remaining: int  # files after a limit or an interrupt
    throttled: int
    failures: dict[str, int] = field(default_factory=dict)  # error class → files
    dry_run: bool = False
    interrupted: bool = False
    exit_code: int = 0


def one_line(text: str) -> str:
    """One line: a name may hold newlines."""
    return text.replace("\n", "\\n")
