"""The manifest as one thing to ask."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from bulkup.manifest.connection import connect_to_read
from bulkup.manifest.exporting import Exports
from bulkup.manifest.health import Health, examine
from bulkup.manifest.histories import Histories
from bulkup.manifest.leftovers import Leftovers
from bulkup.manifest.metering import Meters
from bulkup.manifest.prospects import Prospects
from bulkup.manifest.reports import Reports
from bulkup.manifest.retries import Retries
from bulkup.manifest.runs import Runs
from bulkup.manifest.schema import MIGRATIONS
from bulkup.manifest.searchable import Searchable
from bulkup.manifest.unreached import Unreached
from bulkup.manifest.uploads import Uploads
from bulkup.manifest.vectors import Vectors
from bulkup.manifest.walks import Walks


class Reader:
    """A manifest opened for questions only; it changes nothing, not even the schema."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = connect_to_read(path)
        if self._db is not None:
            self.reports = Reports(self._db, path)
            self.exports = Exports(self._db, path)
            self.meters = Meters(self._db, path)
            self.runs = Runs(self._db, path)
            self.uploads = Uploads(self._db, path)
            self.walks = Walks(self._db, path)
            self.prospects = Prospects(self._db)
            self.leftovers = Leftovers(self._db, path)
            self.unreached = Unreached(self._db, path)
            self.retries = Retries(self._db, path)
            self.histories = Histories(self._db, path)
            self.vectors = Vectors(self._db, path)
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
