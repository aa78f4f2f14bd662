"""What the functions return: the CLI's JSON as frozen dataclasses, with its field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AssetTotals:
    """Files that the manifest knows."""

    total: int
    unique: int
    duplicates: int
    bytes: int
    missing: int  # deleted locally


@dataclass(frozen=True, slots=True)
class StageTotals:
    """Work items of one stage by state, and how long its attempts take (None: no attempt yet)."""

    ready: int
    claimed: int
    waiting: int
    done: int
    skipped: int
    dead: int
    bytes_done: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run that has not ended; without `alive` its process is gone."""

    id: str
    command: str
    host: str
    alive: bool
    heartbeat_at: str  # ISO 8601, UTC
    pid: int


@dataclass(frozen=True, slots=True)
class DestinationTotals:
    """Objects at a destination, as far as the manifest knows."""

    url: str
    objects: int
    bytes: int
    endpoint: str | None = None  # where it is not Amazon's


@dataclass(frozen=True, slots=True)
class StatusResult:
    """Where everything stands, as `status --json` shows it."""

    schema: int
    manifest: str
    generated_at: str  # ISO 8601, UTC
    assets: AssetTotals
    stages: Mapping[str, StageTotals]  # upload, process, embed
    searchable: int
    failures: Mapping[str, int]  # by error class; without the accepted ones
    accepted: int  # failures that `bulkup accept` marked
    runs: tuple[ActiveRun, ...]
    stale_claims: int
    destinations: tuple[DestinationTotals, ...]


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that failed or will be retried, as `status --failed --json` shows it."""

    path: str
    digest: str | None
    stage: str
    state: str  # waiting or dead
    error_class: str | None
    error: str | None
    attempts: int
    next_attempt_at: str | None  # ISO 8601, UTC
    destination: str


@dataclass(frozen=True, slots=True)
class VerifyFinding:
    """A key at which manifest and destination disagree, as `verify --json` shows it."""

    destination: str
    key: str
    finding: str  # missing, short, different, unreadable, unchecked, foreign
    detail: str
    paths: tuple[str, ...]  # files with the content
    variant: str | None  # None: an original


def status_result(document: Mapping[str, Any]) -> StatusResult:
    """The document of `status --json`."""
    fields = dict(document)
    fields["assets"] = AssetTotals(**fields["assets"])
    fields["stages"] = {name: StageTotals(**one) for name, one in fields["stages"].items()}
    fields["runs"] = tuple(ActiveRun(**one) for one in fields["runs"])
    fields["destinations"] = tuple(DestinationTotals(**one) for one in fields["destinations"])
    return StatusResult(**fields)
