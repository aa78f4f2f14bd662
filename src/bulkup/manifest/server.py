"""The manifest as `bulkup serve` opens it: with what no other command asks for."""

from __future__ import annotations

from bulkup.manifest.gallery.file_pages import FilePages
from bulkup.manifest.gallery.pages import Gallery
from bulkup.manifest.gallery.timeline import Timeline
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.notifications import Notifications
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.changes import ChangeQueries
from bulkup.manifest.reports.content import ContentQueries
from bulkup.manifest.reports.failures import FailurePages
from bulkup.manifest.tokens import Tokens


class ServerReader(Reader):
    """A manifest opened for the questions of a server."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.tokens = Tokens(self._db)
        self.notifications = Notifications(self._db)
        self.gallery = Gallery(self._db)
        self.contents = ContentQueries(self._db)
        self.file_pages = FilePages(self._db)
        self.failures = FailurePages(self._db)
        self.changes = ChangeQueries(self._db)


class ServerManifest(Manifest):
    """A manifest opened for what a server changes."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.tokens = Tokens(self._db)
        self.notifications = Notifications(self._db)
        self.timeline = Timeline(self._db)
