"""Short ways for a test to do what a run does with its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from bulkup.errors import ErrorClass
from bulkup.manifest.files.scan_rows import Folder, ScanScope
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import (
    FailedItem,
    File,
    Known,
    Read,
    Registered,
    Unreadable,
    UploadedItem,
    WorkItem,
)
from bulkup.manifest.runs import RunRow
from bulkup.model import Digest, Stage
from bulkup.stores.keys import spare_key
from tests.sql import sql

NOW = 1_800_000_000.0


def digest_of(content: str) -> Digest:
    return Digest(sha256(content.encode()).hexdigest())


def run_row(run_id: str, *, now: float = NOW, pid: int = 1) -> RunRow:
    return RunRow(run_id, "push", "host", pid, "ticks", now, now)


def file(name: str, *, size_bytes: int = 3, stamp: int = 1) -> File:
    return File(name, size_bytes, stamp * 1_000_000_000, stamp, stamp)


def folder(
    path: str = "",
    *,
    new: Sequence[File] = (),
    changed: Sequence[tuple[Known, File]] = (),
    unchanged: Sequence[File] = (),
    back: Sequence[int] = (),
    gone: Sequence[Known] = (),
    unreadable: Sequence[Unreadable] = (),
) -> Folder:
    return Folder(path, new, changed, unchanged, back, gone, unreadable)


@dataclass(slots=True)
class Pusher:
    """One run at one manifest, a step at a time."""

    manifest: Manifest
    scope: ScanScope

    @classmethod
    def begin(
        cls, manifest: Manifest, run_id: str, *, root: str = "/root", to: str = "/to"
    ) -> Pusher:
        """A run with a batch over one root."""
        destination = manifest.destinations.add(to, endpoint_url="", region=None, profile=None)
        manifest.runs.begin(run_row(run_id))
        batch, roots = manifest.batches.begin(run_id, destination.id, [root], options={}, now=NOW)
        return cls(manifest, ScanScope(roots[0][0], root, destination.id, batch, run_id))

    @property
    def uploads(self) -> StageScope:
        """Its upload items."""
        return StageScope(self.scope.destination_id, Stage.UPLOAD, self.scope.batch_id)

    def record(self, found: Folder, *, hand_over: int = 1000) -> list[WorkItem]:
        return self.manifest.scans.record(
            self.scope, lambda: [found], now=NOW, hand_over=hand_over
        ).works

    def known(self, path: str = "") -> dict[str, Known]:
        walks = self.manifest.scans
        folder_id = walks.folder_id(self.scope.root_id, path)
        rows = [] if folder_id is None else walks.known(folder_id, None, None)
        return {known.file.name: known for known in rows}

    def claim(self, limit: int = 1000, *, now: float = NOW) -> list[WorkItem]:
        return self.manifest.stage_queue.claim(
            self.uploads, run_id=self.scope.run_id, limit=limit, now=now
        )

    def register(
        self, *contents: tuple[WorkItem, str], copy: bool = False, key: str | None = None
    ) -> list[Registered]:
        """Each work was read and held the text beside it."""
        reads = []
        for work, content in contents:
            # What the asset was recorded with, except for its size: that of the text.
            where = self.known(work.folder).get(work.name)
            stamp = where.file if where else file(work.name)
            reads.append(
                Read(
                    work,
                    digest_of(content),
                    stamp._replace(size_bytes=len(content)),
                    "image/jpeg",
                    key or f"{work.folder}{work.name}",
                )
            )
        return self.manifest.upload_queue.register(
            reads,
            destination_id=self.scope.destination_id,
            batch_id=self.scope.batch_id,
            run_id=self.scope.run_id,
            copy=copy,
            spare_key=spare_key,
        )

    def done(self, *sent: tuple[WorkItem, str], now: float = NOW) -> None:
        """The destination has these works' contents under these keys."""
        self.manifest.upload_queue.settle(
            [UploadedItem(w, key, w.size_bytes, "etag", None, 0.01) for w, key in sent],
            destination_id=self.scope.destination_id,
            run_id=self.scope.run_id,
            now=now,
        )

    def failed(
        self,
        work: WorkItem,
        *,
        due_at: float | None = None,
        error_class: ErrorClass = ErrorClass.NETWORK,
        now: float = NOW,
    ) -> None:
        failed = FailedItem(work, error_class, "reset", None, due_at, 0.01)
        self.manifest.stage_queue.fail([failed], run_id=self.scope.run_id, now=now)

    def push(self, *names: str, content: str | None = None) -> list[WorkItem]:
        """New files, recorded, registered and done; each holds its name, or `content`."""
        works = self.record(folder(new=[file(name) for name in names]))
        outcomes = self.register(*((work, content or work.name) for work in works))
        self.done(*((one.work, one.key) for one in outcomes if one.key is not None))
        return works

    def end(self, *, now: float = NOW) -> None:
        run_id, how = self.scope.run_id, {"exit_code": 0, "summary": {"files": 1}}
        self.manifest.batches.end(self.scope.batch_id, run_id=run_id, now=now, **how)  # type: ignore[arg-type]
        self.manifest.runs.end(run_id, now=now, **how)  # type: ignore[arg-type]


def rows(manifest: Manifest, query: str, *values: object) -> list[tuple[object, ...]]:
    """What a query finds."""
    return sql(manifest, query, *values)


def states(manifest: Manifest) -> dict[str, str]:
    """Upload states by path, of files that are there."""
    found = rows(manifest, "SELECT path, upload FROM files WHERE missing_since IS NULL")
    return {str(path): str(state) for path, state in found}


def recount_differs(manifest: Manifest) -> list[tuple[object, ...]]:
    """Where the tallies and a recount of the rows disagree; nothing, when all is well."""
    counted = (
        "SELECT destination_id, stage, state, count(*), sum(size_bytes) FROM item WHERE live "
        "GROUP BY destination_id, stage, state"
    )
    kept = "SELECT destination_id, stage, state, items, bytes FROM tally WHERE items OR bytes"
    assets = (
        "SELECT missing, assets, bytes FROM asset_tally WHERE assets OR bytes",
        "SELECT missing_at IS NOT NULL AS gone, count(*), sum(size_bytes) FROM asset GROUP BY gone",
    )
    differences = []
    for one, other in ((counted, kept), assets):
        differences += rows(manifest, f"SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other})")
        differences += rows(manifest, f"SELECT * FROM ({other}) EXCEPT SELECT * FROM ({one})")
    return differences
