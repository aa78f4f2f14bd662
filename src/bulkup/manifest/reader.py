"""The manifest opened for questions only."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Self

from bulkup.manifest.database.connection import connect_to_nothing, connect_to_read

if TYPE_CHECKING:
    from bulkup.manifest.batches import Batches
    from bulkup.manifest.database.connection import ManifestConnection
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
    from bulkup.manifest.uploads.proofs import Proofs
    from bulkup.manifest.uploads.reservations import Reservations


class SharedGroups:
    """Each group is imported when it is first asked for: no command needs all of them."""

    _db: ManifestConnection

    @cached_property
    def runs(self) -> Runs:
        from bulkup.manifest.runs import Runs

        return Runs(self._db)

    @cached_property
    def destinations(self) -> Destinations:
        from bulkup.manifest.destinations import Destinations

        return Destinations(self._db)

    @cached_property
    def batches(self) -> Batches:
        from bulkup.manifest.batches import Batches

        return Batches(self._db)

    @cached_property
    def scans(self) -> Scans:
        from bulkup.manifest.files.scans import Scans

        return Scans(self._db)

    @cached_property
    def multipart_uploads(self) -> MultipartUploads:
        from bulkup.manifest.multipart_uploads import MultipartUploads

        return MultipartUploads(self._db)

    @cached_property
    def reservations(self) -> Reservations:
        from bulkup.manifest.uploads.reservations import Reservations

        return Reservations(self._db)

    @cached_property
    def proofs(self) -> Proofs:
        from bulkup.manifest.uploads.proofs import Proofs

        return Proofs(self._db)

    @cached_property
    def embeddings(self) -> Embeddings:
        from bulkup.manifest.embeddings import Embeddings

        return Embeddings(self._db)

    @cached_property
    def retry_queue(self) -> RetryQueue:
        from bulkup.manifest.queue.requeue import RetryQueue

        return RetryQueue(self._db)

    @cached_property
    def garbage(self) -> GarbageCollection:
        from bulkup.manifest.garbage import GarbageCollection

        return GarbageCollection(self._db)

    @cached_property
    def reports(self) -> StatusReport:
        from bulkup.manifest.reports.status import StatusReport

        return StatusReport(self._db)

    @cached_property
    def albums(self) -> AlbumQueries:
        from bulkup.manifest.reports.albums import AlbumQueries

        return AlbumQueries(self._db)

    @cached_property
    def pull_queries(self) -> PullQueries:
        from bulkup.manifest.reports.pull import PullQueries

        return PullQueries(self._db)

    @cached_property
    def integrity(self) -> Integrity:
        from bulkup.manifest.reports.integrity import Integrity

        return Integrity(self._db)


class Reader(SharedGroups, AbstractContextManager["Reader"]):
    """A manifest opened for questions only. Where there is none yet, it answers as an empty one.

    It writes nothing, except that it migrates a manifest of an older version first.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        found = connect_to_read(path)
        self.exists = found is not None
        self._db = found or connect_to_nothing(path)

    @cached_property
    def exports(self) -> Exports:
        from bulkup.manifest.reports.export import Exports

        return Exports(self._db)

    @cached_property
    def metrics(self) -> MetricsReport:
        from bulkup.manifest.reports.metrics import MetricsReport

        return MetricsReport(self._db)

    @cached_property
    def dry_run(self) -> DryRunQueries:
        from bulkup.manifest.reports.dry_run import DryRunQueries

        return DryRunQueries(self._db)

    @cached_property
    def attempts(self) -> AttemptsReport:
        from bulkup.manifest.reports.attempts import AttemptsReport

        return AttemptsReport(self._db)

    @cached_property
    def searchable(self) -> Searchable:
        from bulkup.manifest.reports.search import Searchable

        return Searchable(self._db)

    @cached_property
    def objects(self) -> ObjectQueries:
        from bulkup.manifest.reports.objects import ObjectQueries

        return ObjectQueries(self._db)

    @cached_property
    def uploaded_files(self) -> UploadedFiles:
        from bulkup.manifest.uploads.files import UploadedFiles

        return UploadedFiles(self._db)

    @cached_property
    def user_queries(self) -> UserQueries:
        from bulkup.manifest.reports.query import UserQueries

        return UserQueries(self._db)

    def close(self) -> None:
        """Close the file; the reader can no longer be used."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
