"""The manifest opened for questions only."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Self

from bulkup.manifest.batches import Batches
from bulkup.manifest.database.connection import connect_to_nothing, connect_to_read
from bulkup.manifest.destinations import Destinations
from bulkup.manifest.embeddings import Embeddings
from bulkup.manifest.files.scans import Scans
from bulkup.manifest.garbage import GarbageCollection
from bulkup.manifest.multipart_uploads import MultipartUploads
from bulkup.manifest.queue.requeue import RetryQueue
from bulkup.manifest.reports.albums import AlbumQueries
from bulkup.manifest.reports.attempts import AttemptsReport
from bulkup.manifest.reports.dry_run import DryRunQueries
from bulkup.manifest.reports.export import Exports
from bulkup.manifest.reports.integrity import Integrity
from bulkup.manifest.reports.metrics import MetricsReport
from bulkup.manifest.reports.objects import ObjectQueries
from bulkup.manifest.reports.pull import PullQueries
from bulkup.manifest.reports.query import UserQueries
from bulkup.manifest.reports.search import Searchable
from bulkup.manifest.reports.status import StatusReport
from bulkup.manifest.runs import Runs
from bulkup.manifest.uploads.files import UploadedFiles
from bulkup.manifest.uploads.reservations import Reservations


class Reader(AbstractContextManager["Reader"]):
    """A manifest opened for questions only. Where there is none yet, it answers as an empty one.

    It writes nothing, except that it migrates a manifest of an older version first.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        found = connect_to_read(path)
        self.exists = found is not None
        self._db = found or connect_to_nothing(path)
        self.reports = StatusReport(self._db)
        self.exports = Exports(self._db)
        self.metrics = MetricsReport(self._db)
        self.runs = Runs(self._db)
        self.destinations = Destinations(self._db)
        self.batches = Batches(self._db)
        self.multipart_uploads = MultipartUploads(self._db)
        self.scans = Scans(self._db)
        self.dry_run = DryRunQueries(self._db)
        self.garbage = GarbageCollection(self._db)
        self.retry_queue = RetryQueue(self._db)
        self.attempts = AttemptsReport(self._db)
        self.embeddings = Embeddings(self._db)
        self.searchable = Searchable(self._db)
        self.objects = ObjectQueries(self._db)
        self.albums = AlbumQueries(self._db)
        self.pull_queries = PullQueries(self._db)
        self.reservations = Reservations(self._db)
        self.uploaded_files = UploadedFiles(self._db)
        self.integrity = Integrity(self._db)
        self.user_queries = UserQueries(self._db)

    def close(self) -> None:
        """Close the file; the reader can no longer be used."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
