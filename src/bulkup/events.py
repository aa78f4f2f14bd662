"""What happened in a run, as values. The engine emits them; only `cli` prints. Those of a single
verb (resume, watch, pull, a dry run) are defined beside it.

Every event has two renderings: `str(event)` for people (not escaped: the terminal output escapes
it) and `event.as_json()` for programs. One event holds many files, since a call per file would
cost more than the upload of a small one. Nobody compares or changes an event: a dataclass without
the methods for that is made in a third of the time, and every command makes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar, Literal, NamedTuple

from bulkup.model import LeftOut

Json = Mapping[str, object]
UploadKind = Literal["sent", "adopted", "duplicate", "copied"]

_KINDS: Mapping[UploadKind, str] = {
    "sent": "sent",
    "adopted": "already there",
    "duplicate": "duplicate",
    "copied": "copied",
}


@dataclass(slots=True, eq=False, repr=False)
class Event:
    """Something that happened in a run."""

    kind: ClassVar[str] = "event"
    is_always_shown: ClassVar[bool] = False  # printed without --verbose, too

    def __repr__(self) -> str:
        said = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({said})"

    @property
    def is_trouble(self) -> bool:
        """Whether it is printed even with --quiet."""
        return False

    def as_json(self) -> list[Json]:
        """One object per line of a JSON-lines log; every one has `event`."""
        return [{"event": self.kind, **asdict(self)}]


@dataclass(slots=True, eq=False, repr=False)
class RunStarted(Event):
    """The run has started. The first event."""

    kind = "run_started"
    run_id: str
    command: str
    destination: str
    manifest: str
    first_default: bool  # no destination was ever given: the local store is used

    def __str__(self) -> str:
        if self.first_default:
            return one_line(f"No destination given: pushing to the local store {self.destination}")
        if self.command == "push":
            return one_line(f"Pushing to {self.destination}")
        return one_line(f"{self.command}: to {self.destination}")


@dataclass(slots=True, eq=False, repr=False)
class RootWalked(Event):
    """A root has been scanned."""

    kind = "root_walked"
    root: str
    files: int
    size_bytes: int
    new: int
    changed: int
    unchanged: int
    gone: int
    left_out: int
    seconds: float

    def __str__(self) -> str:
        noun = "file" if self.files == 1 else "files"
        return one_line(
            f"{self.root}: {self.files:,} {noun} ({self.new:,} new, {self.changed:,} changed, "
            f"{self.gone:,} deleted locally, {self.left_out:,} ignored)"
        )


@dataclass(slots=True, eq=False, repr=False)
class FilesLeftOut(Event):
    """Files that the scan ignored, with the reasons."""

    kind = "left_out"
    root: str
    files: tuple[LeftOut, ...]

    def as_json(self) -> list[Json]:
        return [
            {"event": self.kind, "root": self.root, "path": f.folder + f.name, "reason": f.reason}
            for f in self.files
        ]

    def __str__(self) -> str:
        return "\n".join(one_line(f"ignored {f.folder}{f.name}: {f.reason}") for f in self.files)


class FileDone(NamedTuple):
    """One file whose bytes are at the destination."""

    path: str
    key: str | None  # of the object that has the bytes; None: it is not stored yet
    digest: str
    size_bytes: int
    how: UploadKind
    seconds: float
    attempt: int | None = None  # None: another file has the content
    stage: str = "upload"


@dataclass(slots=True, eq=False, repr=False)
class FilesDone(Event):
    """Files that were uploaded, or whose content was already at the destination."""

    kind = "uploaded"
    files: tuple[FileDone, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, **f._asdict()} for f in self.files]

    def __str__(self) -> str:
        return "\n".join(
            one_line(f"{_KINDS[f.how]} {f.path}" + (f" → {f.key}" if f.key is not None else ""))
            for f in self.files
        )


class ItemDone(NamedTuple):
    """One content that process or embed has finished."""

    path: str
    digest: str
    how: Literal["done", "skipped"]
    reason: str | None  # why it was skipped
    seconds: float
    attempt: int


@dataclass(slots=True, eq=False, repr=False)
class ItemsDone(Event):
    """Contents that process or embed has finished."""

    kind = "settled"
    stage: str
    items: tuple[ItemDone, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, "stage": self.stage, **i._asdict()} for i in self.items]

    def __str__(self) -> str:
        return "\n".join(
            one_line(f"{self.stage} {i.how} {i.path}" + (f": {i.reason}" if i.reason else ""))
            for i in self.items
        )


@dataclass(slots=True, eq=False, repr=False)
class AttemptFailed(Event):
    """An attempt failed; `state` says whether it will be retried."""

    kind = "failed"
    path: str
    stage: str
    attempt: int
    error_class: str
    error: str
    state: str
    next_attempt_at: float | None
    seconds: float = 0.0  # how long the attempt took

    def __str__(self) -> str:
        verdict = "failed for good" if self.state == "dead" else "will retry"
        return one_line(f"{self.path}: {self.error_class}: {self.error} ({verdict})")


@dataclass(slots=True, eq=False, repr=False)
class Paused(Event):
    """The whole run waits, because of the destination or this machine."""

    kind = "paused"
    is_always_shown = True
    reason: str
    seconds: float  # until the next try
    gives_up_seconds: float | None = None  # until the run ends; None: after a few tries
    is_first: bool = True  # of the waits for one reason

    def __str__(self) -> str:
        if self.gives_up_seconds is None:
            return one_line(f"Waiting {self.seconds:.0f} s: {self.reason}")
        return one_line(
            f"No connection to {self.reason}. Next try in {self.seconds:.0f} s, giving up in "
            f"{_duration(self.gives_up_seconds)} (--wait-online)."
        )


@dataclass(slots=True, eq=False, repr=False)
class Notice(Event):
    """A message for the user that is not about one file."""

    kind = "notice"
    is_always_shown = True
    message: str
    is_error: bool = False
    hint: str | None = None  # how to fix it
    is_below_bars: bool = False  # the line below the bars says the same

    @property
    def is_trouble(self) -> bool:
        return self.is_error

    def __str__(self) -> str:
        prefix = "bulkup: " if self.is_error else ""
        hint = f"\n{self.hint}".replace("\n", "\n  ") if self.hint else ""
        return f"{prefix}{one_line(self.message)}{hint}"


@dataclass(slots=True, eq=False, repr=False)
class WorkersChanged(Event):
    """Workers of a cluster came or went; those that can do the work are counted."""

    kind = "workers"
    workers: int
    slots: int
    tasks_out: int

    def __str__(self) -> str:
        return f"{self.workers:,} workers with {self.slots:,} slots, {self.tasks_out:,} tasks out"


@dataclass(slots=True, eq=False, repr=False)
class Summary(Event):
    """How the run ended. Only a Notice about a failed webhook or metrics file may follow."""

    kind = "summary"
    run_id: str
    command: str
    destination: str
    seconds: float
    files: int  # files that the scan selected
    new: int
    changed: int
    unchanged: int
    gone: int
    left_out: int
    sent: int  # contents that this run uploaded
    sent_bytes: int
    adopted: int  # contents that were already there under their key
    duplicates: int  # files whose content another file has
    duplicate_bytes: int  # saved by deduplication
    copied: int
    waiting: int
    dead: int
    ready: int  # remaining after a limit or an interrupt
    claimed_elsewhere: int
    throttled: int
    processed: int = 0  # contents whose variants this run made
    embedded: int = 0  # contents that this run made searchable
    passed_over: int = 0  # contents that a stage skipped
    accepted: int = 0  # failures that are known; `dead` has the others
    stages: dict[str, dict[str, int]] = field(default_factory=dict)  # see `run.summary`
    error: str | None = None  # what ended the run early
    failures: dict[str, int] = field(default_factory=dict)  # error class → items waiting or dead
    dry_run: bool = False
    interrupted: bool = False
    exit_code: int = 0

    @property
    def has_changed(self) -> bool:
        """Whether the run has changed what is known of files and objects."""
        files = self.new + self.changed + self.gone + self.duplicates + self.passed_over
        return files + self.sent + self.adopted + self.copied + self.processed + self.embedded > 0


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def one_line(text: str) -> str:
    """One line: a name may hold newlines."""
    return text.replace("\n", "\\n")


Emit = Callable[[Event], None]
"""Where events go. Called from the event loop's thread; must not block."""
