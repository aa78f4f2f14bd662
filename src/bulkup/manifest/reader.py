"""The manifest as one thing to ask."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from bulkup.manifest.connection import connect_to_read
from bulkup.manifest.embeddings import Embeddings
from bulkup.manifest.garbage import Leftovers
from bulkup.manifest.multipart_uploads import MultipartUploads
from bulkup.manifest.queue.requeue import RetryQueue
from bulkup.manifest.reports.attempts import Histories
from bulkup.manifest.reports.dry_run import DryRunQueries
from bulkup.manifest.reports.export import Exports
from bulkup.manifest.reports.integrity import Health, examine
from bulkup.manifest.reports.metrics import MetricsReport
from bulkup.manifest.reports.search import Searchable
from bulkup.manifest.reports.status import StatusReport
from bulkup.manifest.runs import Runs
from bulkup.manifest.scans import Scans
from bulkup.manifest.schema import MIGRATIONS
from bulkup.manifest.unreached import Unreached


class Reader:
    """A manifest opened for questions only; it changes nothing, not even the schema."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = connect_to_read(path)
        if self._db is not None:
            self.reports = StatusReport(self._db, path)
            self.exports = Exports(self._db, path)
            self.metrics = MetricsReport(self._db, path)
            self.runs = Runs(self._db, path)
            self.multipart_uploads = MultipartUploads(self._db, path)
            self.scans = Scans(self._db, path)
            self.dry_run = DryRunQueries(self._db)
            self.garbage = Leftovers(self._db, path)
            self.unreached = Unreached(self._db, path)
            self.retry_queue = RetryQueue(self._db, path)
            self.attempts = Histories(self._db, path)
            self.embeddings = Embeddings(self._db, path)
            self.searchable = Searchable(self._db, path)

    @property
    def exists(self) -> bool:
        """Whether there is a manifest at all; when not, there is nothing to ask."""
        return self._db is not None

    @property
    def is_current(self) -> bool:
        """Whether the manifest has all tables of this version: an older one has no pictures yet,
        and a reader migrates nothing."""
        if self._db is None:
            return False
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version >= len(MIGRATIONS)

    def health(self) -> Health:
        """How the file is; looks through all of it. There must be one."""
        assert self._db is not None
        return examine(self._db, self.path)

    def close(self) -> None:
        """Give the file back."""
        if self._db is not None:
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
