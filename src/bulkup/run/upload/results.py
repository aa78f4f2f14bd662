"""How uploads ended: counted, told, and settled in the manifest, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from bulkup.clock import Clock
from bulkup.errors import ErrorClass, ItemError, StoreError
from bulkup.events import AttemptFailed, Emit, FileDone, FilesDone, UploadKind
from bulkup.manifest.rows import FailedItem, Read, UploadedItem, WorkItem
from bulkup.model import Digest, Stage
from bulkup.pace.backoff import ATTEMPTS, attempt_wait_seconds
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.ingest.process import IngestProcess, IngestProcessLost
from bulkup.run.upload.loader import ReadyUpload


@dataclass(slots=True)
class Counts:
    """What this run's uploads came to."""

    sent: int = 0
    sent_bytes: int = 0
    adopted: int = 0
    duplicates: int = 0
    duplicate_bytes: int = 0
    waiting: int = 0
    dead: int = 0
    done_files: int = 0
    done_bytes: int = 0
    failures: dict[ErrorClass, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return self.waiting + self.dead


class UploadResults:
    """The ended attempts of one run's uploads."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        *,
        destination_id: int,
        run_id: str,
        clock: Clock,
        random: Random,
        emit: Emit,
        wants_files: bool,
        aside: IngestProcess | None = None,
        follows: Stage | None = None,
    ) -> None:
        self._async_manifest = async_manifest
        self._destination_id = destination_id
        self._run_id = run_id
        self._clock = clock
        self._random = random
        self._emit = emit
        self._aside = aside
        self._wants_files = wants_files  # whether anybody reads an event for each file
        self._follows = follows
        self.counts = Counts()
        self._done: list[UploadedItem] = []
        self._failed: list[FailedItem] = []
        self._files: list[FileDone] = []

    def succeed(self, ready: ReadyUpload, done: UploadedItem, kind: UploadKind) -> int:
        """The destination has the content; returns how many wait to be settled."""
        counts = self.counts
        if kind == "sent":
            counts.sent += 1
            counts.sent_bytes += done.size_bytes
        else:
            counts.adopted += 1
        counts.done_files += 1
        counts.done_bytes += done.size_bytes
        self._done.append(done)
        if self._wants_files:
            self._files.append(
                _file_done(
                    ready.work,
                    ready.loaded.digest,
                    done.key,
                    done.size_bytes,
                    kind,
                    done.seconds,
                    attempt=ready.work.attempts + 1,
                )
            )
        return len(self._done)

    def duplicate(self, read: Read) -> None:
        """Another file brought, or brings, the content."""
        self.counts.duplicates += 1
        self.counts.duplicate_bytes += read.file.size_bytes
        self.counts.done_files += 1
        self.counts.done_bytes += read.file.size_bytes
        if self._wants_files:
            self._files.append(
                _file_done(read.work, read.digest, read.key, read.file.size_bytes, "duplicate", 0.0)
            )

    def fail(self, work: WorkItem, error: ItemError, seconds: float) -> None:
        """The attempt ended with `error`: the item waits for the next one, or is dead."""
        attempt = work.attempts + 1
        wait = attempt_wait_seconds(
            Stage.UPLOAD,
            attempt,
            error.error_class,
            self._random,
            allowed=ATTEMPTS[Stage.UPLOAD] + work.attempts_granted,
        )
        due_at = None if wait is None else self._clock.now() + wait
        request_id = error.request_id if isinstance(error, StoreError) else None
        self._failed.append(
            FailedItem(work, error.error_class, str(error), request_id, due_at, seconds)
        )
        if wait is None:
            self.counts.dead += 1
        else:
            self.counts.waiting += 1
        failures = self.counts.failures
        failures[error.error_class] = failures.get(error.error_class, 0) + 1
        self._emit(
            AttemptFailed(
                path=f"{work.root}/{work.folder}{work.name}",
                stage=Stage.UPLOAD.value,
                attempt=attempt,
                error_class=error.error_class.value,
                error=str(error),
                state="dead" if wait is None else "waiting",
                next_attempt_at=due_at,
                seconds=seconds,
            )
        )

    async def settle(self) -> None:
        """Record what has ended since the last time, in one transaction."""
        done, self._done = self._done, []
        failed, self._failed = self._failed, []
        files, self._files = self._files, []
        if done or failed:
            try:
                if done and await self._settle_aside(done):
                    done = []
                await self._async_manifest.call(
                    self._async_manifest.manifest.upload_queue.settle,
                    done,
                    failed,
                    destination_id=self._destination_id,
                    run_id=self._run_id,
                    now=self._clock.now(),
                    follows=self._follows,
                )
            except BaseException:
                self._done[:0], self._failed[:0] = done, failed
                raise
        if files:
            self._emit(FilesDone(tuple(files)))

    async def _settle_aside(self, done: list[UploadedItem]) -> bool:
        """Have the second process record `done`; False when that is left to do here."""
        if self._aside is None or not self._aside.is_responsive:
            return False
        try:
            await self._aside.settle(done, now=self._clock.now(), follows=self._follows)
        except IngestProcessLost:
            items = [one.item.item_id for one in done]
            queue = self._async_manifest.manifest.upload_queue
            return not await self._async_manifest.call(queue.holds_any, items, run_id=self._run_id)
        return True


def _file_done(
    work: WorkItem,
    digest: Digest,
    key: str,
    size_bytes: int,
    kind: UploadKind,
    seconds: float,
    *,
    attempt: int | None = None,
) -> FileDone:
    path = f"{work.root}/{work.folder}{work.name}"
    return FileDone(path, key, digest, size_bytes, kind, seconds, attempt)
