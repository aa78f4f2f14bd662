"""The manifest as one thing to open, use from one thread at a time, and close."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Self

from bulkup.manifest.batches import Batches
from bulkup.manifest.copies import ManifestCopies
from bulkup.manifest.database.connection import JournalMode, connect
from bulkup.manifest.destinations import Destinations
from bulkup.manifest.embeddings import Embeddings
from bulkup.manifest.files.local_files import LocalFiles
from bulkup.manifest.files.mounts import KnownMounts
from bulkup.manifest.files.scans import Scans
from bulkup.manifest.files.sidecars import Sidecars
from bulkup.manifest.files.takeout import TakeoutNotes
from bulkup.manifest.garbage import GarbageCollection
from bulkup.manifest.import_objects import ObjectImport
from bulkup.manifest.merge.merge import Merge
from bulkup.manifest.multipart_uploads import MultipartUploads
from bulkup.manifest.pictures import Pictures
from bulkup.manifest.queue.accepted import AcceptedFailures
from bulkup.manifest.queue.requeue import RetryQueue
from bulkup.manifest.queue.stages import StageQueue
from bulkup.manifest.queue.uploads import UploadQueue
from bulkup.manifest.reports.albums import AlbumQueries
from bulkup.manifest.reports.integrity import Integrity
from bulkup.manifest.reports.pull import PullQueries
from bulkup.manifest.reports.status import StatusReport
from bulkup.manifest.runs import Runs
from bulkup.manifest.uploads.reservations import Reservations
from bulkup.manifest.verification import ObjectChecks


class Manifest(AbstractContextManager["Manifest"]):
    """Everything bulkup remembers, in one SQLite file.

    Several processes may share it; within a process one thread at a time may use it. All methods
    raise ManifestError for trouble with the file.
    """

    def __init__(self, path: str, *, journal_mode: JournalMode = "wal") -> None:
        self.path = path
        self._db = connect(path, journal_mode=journal_mode)
        self.runs = Runs(self._db)
        self.destinations = Destinations(self._db)
        self.batches = Batches(self._db)
        self.scans = Scans(self._db)
        self.known_mounts = KnownMounts(self._db)
        self.upload_queue = UploadQueue(self._db)
        self.multipart_uploads = MultipartUploads(self._db)
        self.reservations = Reservations(self._db)
        self.stage_queue = StageQueue(self._db)
        self.pictures = Pictures(self._db)
        self.sidecars = Sidecars(self._db)
        self.takeout = TakeoutNotes(self._db)
        self.embeddings = Embeddings(self._db)
        self.retry_queue = RetryQueue(self._db)
        self.accepted_failures = AcceptedFailures(self._db)
        self.object_checks = ObjectChecks(self._db)
        self.object_import = ObjectImport(self._db)
        self.local_files = LocalFiles(self._db)
        self.copies = ManifestCopies(self._db)
        self.garbage = GarbageCollection(self._db)
        self.reports = StatusReport(self._db)
        self.albums = AlbumQueries(self._db)
        self.pull_queries = PullQueries(self._db)
        self.merge = Merge(self._db)
        self.integrity = Integrity(self._db)

    @property
    def is_shared_easily(self) -> bool:
        """Whether readers and a writer do not wait for each other (WAL holds)."""
        return self.integrity.journal_mode() == "wal"

    def wait_for_lock(self, seconds: float) -> None:
        """How long a call waits for another program's write transaction; BUSY_SECONDS at first."""
        self._db.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def close(self) -> None:
        """Close the file; the manifest can no longer be used."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
