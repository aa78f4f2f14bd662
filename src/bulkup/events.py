"""What happened, as values. The engine emits them, only `cli` draws.

Every event has two renderings, both made here: `str(event)` for people (unescaped: whoever
prints it to a terminal escapes it) and `event.as_json()` for machines. Events about files come
many to one value, since a call per file would cost more than the upload of a small one.

Events are never compared: `eq=False` saves a quarter of what each class costs at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, Literal, NamedTuple

from bulkup.model import LeftOut

Json = Mapping[str, object]
UploadKind = Literal["sent", "adopted", "duplicate", "copied"]
Verdict = Literal["send", "duplicate", "copy", "dead", "unreadable", "claimed", "over_limit"]

_VERDICTS: Mapping[Verdict, str] = {
    "send": "would send",
    "duplicate": "duplicate",
    "copy": "would copy on the server",
    "dead": "dead",
    "unreadable": "cannot be read",
    "claimed": "claimed by another run",
    "over_limit": "left for later (--limit)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Something that happened in a run."""

    kind: ClassVar[str] = "event"

    def as_json(self) -> list[Json]:
        """One object per line of a JSON-lines log; every one has `event`."""
        return [{"event": self.kind, **asdict(self)}]


@dataclass(frozen=True, slots=True, eq=False)
class RunStarted(Event):
    """The run is on its way; said before any other event."""

    kind = "run_started"
    run_id: str
    command: str
    destination: str
    manifest: str
    first_default: bool  # no destination was ever given: the embedded local store is used

    def __str__(self) -> str:
        if self.first_default:
            return f"No destination given: pushing to the local store {self.destination}"
        if self.command == "push":
            return f"Pushing to {self.destination}"
        return f"{self.command}: to {self.destination}"


@dataclass(frozen=True, slots=True, eq=False)
class BatchFound(Event):
    """A batch that was interrupted, and that this run goes on with."""

    kind = "batch_found"
    batch_id: int
    roots: tuple[str, ...]
    destination: str
    started_at: float
    ready: int
    waiting: int
    multipart_uploads: int
    copies: int
    walk_unfinished: bool

    def __str__(self) -> str:
        what = [
            f"{number:,} {label}"
            for number, label in (
                (self.ready, "ready"),
                (self.waiting, "waiting"),
                (self.multipart_uploads, "multipart begun"),
                (self.copies, "to be copied"),
            )
            if number
        ]
        what += ["walk not finished"] if self.walk_unfinished else []
        begun = datetime.fromtimestamp(self.started_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        roots = ", ".join(self.roots) or "retried files"
        return f"Batch {self.batch_id} of {begun}, {roots} to {self.destination}: {', '.join(what)}"


@dataclass(frozen=True, slots=True, eq=False)
class RootWalked(Event):
    """A root has been walked to its end."""

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
        return (
            f"{self.root}: {self.files:,} {noun} ({self.new:,} new, {self.changed:,} changed, "
            f"{self.gone:,} gone, {self.left_out:,} left out)"
        )


@dataclass(frozen=True, slots=True, eq=False)
class FilesLeftOut(Event):
    """Files that the walk did not select, with the reasons."""

    kind = "left_out"
    root: str
    files: tuple[LeftOut, ...]

    def as_json(self) -> list[Json]:
        return [
            {"event": self.kind, "root": self.root, "path": f.folder + f.name, "reason": f.reason}
            for f in self.files
        ]

    def __str__(self) -> str:
        return "\n".join(_line(f"left out {f.folder}{f.name}: {f.reason}") for f in self.files)


class FileDone(NamedTuple):
    """One file whose bytes the destination now has."""

    path: str
    key: str
    digest: str
    size_bytes: int
    how: UploadKind
    seconds: float
    attempt: int | None = None  # None: nothing was attempted, another file brought the content
    stage: str = "upload"


@dataclass(frozen=True, slots=True, eq=False)
class FilesDone(Event):
    """Files that reached the destination, or were found to be there."""

    kind = "uploaded"
    files: tuple[FileDone, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, **f._asdict()} for f in self.files]

    def __str__(self) -> str:
        return "\n".join(_line(f"{f.how} {f.path} → {f.key}") for f in self.files)


class ItemDone(NamedTuple):
    """One content that a stage after the upload is through with."""

    path: str
    digest: str
    how: Literal["done", "skipped"]
    reason: str | None  # why it was skipped
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True, eq=False)
class ItemsDone(Event):
    """Contents that a stage after the upload is through with."""

    kind = "settled"
    stage: str
    items: tuple[ItemDone, ...]

    def as_json(self) -> list[Json]:
        return [{"event": self.kind, "stage": self.stage, **i._asdict()} for i in self.items]

    def __str__(self) -> str:
        return "\n".join(
            _line(f"{self.stage} {i.how} {i.path}" + (f": {i.reason}" if i.reason else ""))
            for i in self.items
        )


class FilePlanned(NamedTuple):
    """What a push would do with one file. `key` and `digest` are None where nobody knows them."""

    path: str
    verdict: Verdict
    key: str | None
    digest: str | None
    size_bytes: int
    reason: str | None = None  # why it would not be sent


@dataclass(frozen=True, slots=True, eq=False)
class FilesPlanned(Event):
    """Files that a dry run has come through, and that a push would have something to do with."""

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


@dataclass(frozen=True, slots=True, eq=False)
class AttemptFailed(Event):
    """An attempt ended without success; `state` says whether it will be tried again."""

    kind = "failed"
    path: str
    stage: str
    attempt: int
    error_class: str
    error: str
    state: str
    next_attempt_at: float | None
    seconds: float = 0.0  # that the attempt took

    def __str__(self) -> str:
        verdict = "given up" if self.state == "dead" else "will be tried again"
        return f"{self.path}: {self.error_class}: {self.error} ({verdict})"


@dataclass(frozen=True, slots=True, eq=False)
class Paused(Event):
    """The whole run waits for a reason that is no file's fault."""

    kind = "paused"
    reason: str
    seconds: float

    def __str__(self) -> str:
        return f"Waiting {self.seconds:.0f} s: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class Notice(Event):
    """Something the user should know that is no failure."""

    kind = "notice"
    message: str
    is_error: bool = False  # told in any case, also with --quiet

    def __str__(self) -> str:
        return self.message


class StageCount(NamedTuple):
    """One bar's worth of numbers. `total` grows while the walk goes on."""

    done: int = 0
    skipped: int = 0
    failed: int = 0  # waiting or dead
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


class Snapshot(NamedTuple):
    """Where the run stands now; taken by whoever draws, ten times a second at most."""

    stages: Mapping[str, StageCount]  # those that the run works at, in their order
    walking: bool
    walked_files: int
    window: int  # requests that may be in flight
    in_flight: int
    throttled: int
    errors: int
    elapsed_seconds: float
    paused: str | None = None


def total_of(snapshot: Snapshot) -> StageCount:
    """Done and failed items of all stages together."""
    stages = snapshot.stages.values()
    return StageCount(
        done=sum(stage.done for stage in stages), failed=sum(stage.failed for stage in stages)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Summary(Event):
    """How the run ended. The last event, but for a Notice of what could not be told outside."""

    kind = "summary"
    run_id: str
    command: str
    destination: str
    seconds: float
    files: int  # selected files that the walk found
    new: int
    changed: int
    unchanged: int
    gone: int
    left_out: int
    sent: int  # contents that this run put into the destination
    sent_bytes: int
    adopted: int  # contents that were there already under their key
    duplicates: int  # files whose content another file brought
    duplicate_bytes: int  # what deduplication saved
    copied: int
    waiting: int
    dead: int
    ready: int  # left undone: limits, an interrupt, or claimed by nobody yet
    claimed_elsewhere: int
    throttled: int
    processed: int = 0  # contents that this run made variants of
    embedded: int = 0  # contents that this run made searchable
    passed_over: int = 0  # contents that a stage does not apply to
    failures: dict[str, int] = field(default_factory=dict)  # error class → items waiting or dead
    dry_run: bool = False
    interrupted: bool = False
    exit_code: int = 0


def _line(text: str) -> str:
    """One line, whatever the names in it hold."""
    return text.replace("\n", "\\n")


Emit = Callable[[Event], None]
"""Where events go. Called from the event loop's thread; must not block."""
