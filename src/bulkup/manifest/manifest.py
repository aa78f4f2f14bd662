"""The manifest as one thing to open, use from one thread at a time, and close."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from bulkup.manifest.batches import Batches
from bulkup.manifest.connection import connect
from bulkup.manifest.embeddings import Embeddings
from bulkup.manifest.garbage import Leftovers
from bulkup.manifest.multipart_uploads import MultipartUploads
from bulkup.manifest.pictures import Pictures
from bulkup.manifest.queue.requeue import RetryQueue
from bulkup.manifest.queue.stages import StageQueue
from bulkup.manifest.queue.uploads import UploadQueue
from bulkup.manifest.reports.status import StatusReport
from bulkup.manifest.runs import Runs
from bulkup.manifest.scans import Scans
from bulkup.manifest.unreached import Unreached
from bulkup.manifest.verification import ObjectChecks


class Manifest:
    """Everything bulkup remembers, in one SQLite file.

    Safe to share between processes; within a process one thread at a time may use it. All methods
    raise ManifestError for trouble with the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = connect(path)
        self.runs = Runs(self._db, path)
        self.multipart_uploads = MultipartUploads(self._db, path)
        self.scans = Scans(self._db, path)
        self.upload_queue = UploadQueue(self._db, path)
        self.batches = Batches(self._db, path)
        self.retry_queue = RetryQueue(self._db, path)
        self.reports = StatusReport(self._db, path)
        self.garbage = Leftovers(self._db, path)
        self.unreached = Unreached(self._db, path)
        self.object_checks = ObjectChecks(self._db, path)
        self.stage_queue = StageQueue(self._db, path)
        self.pictures = Pictures(self._db, path)
        self.embeddings = Embeddings(self._db, path)

    @property
    def is_shared_easily(self) -> bool:
        """Whether readers and a writer do not wait for each other (WAL holds)."""
        mode: str = self._db.execute("PRAGMA journal_mode").fetchone()[0]
        return mode == "wal"

    def wait_for_lock(self, seconds: float) -> None:
        """How long a call waits for another program's write transaction; BUSY_SECONDS at first."""
        self._db.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
