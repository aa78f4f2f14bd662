"""The manifest as one thing to open, use from one thread at a time, and close."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Self

from bulkup.manifest.database.connection import JournalMode, connect
from bulkup.manifest.reader import SharedGroups

if TYPE_CHECKING:
    from bulkup.manifest.copies import ManifestCopies
    from bulkup.manifest.files.local_files import LocalFiles
    from bulkup.manifest.files.mounts import KnownMounts
    from bulkup.manifest.files.sidecars import Sidecars
    from bulkup.manifest.files.takeout import TakeoutNotes
    from bulkup.manifest.import_objects import ObjectImport
    from bulkup.manifest.merge.merge import Merge
    from bulkup.manifest.pictures import Pictures
    from bulkup.manifest.queue.accepted import AcceptedFailures
    from bulkup.manifest.queue.stages import StageQueue
    from bulkup.manifest.queue.uploads import UploadQueue
    from bulkup.manifest.verification import ObjectChecks


class Manifest(SharedGroups, AbstractContextManager["Manifest"]):
    """Everything bulkup remembers, in one SQLite file.

    Several processes may share it; within a process one thread at a time may use it. All methods
    raise ManifestError for trouble with the file.
    """

    def __init__(self, path: str, *, journal_mode: JournalMode = "wal") -> None:
        self.path = path
        self._db = connect(path, journal_mode=journal_mode)

    @cached_property
    def known_mounts(self) -> KnownMounts:
        from bulkup.manifest.files.mounts import KnownMounts

        return KnownMounts(self._db)

    @cached_property
    def upload_queue(self) -> UploadQueue:
        from bulkup.manifest.queue.uploads import UploadQueue

        return UploadQueue(self._db)

    @cached_property
    def stage_queue(self) -> StageQueue:
        from bulkup.manifest.queue.stages import StageQueue

        return StageQueue(self._db)

    @cached_property
    def pictures(self) -> Pictures:
        from bulkup.manifest.pictures import Pictures

        return Pictures(self._db)

    @cached_property
    def sidecars(self) -> Sidecars:
        from bulkup.manifest.files.sidecars import Sidecars

        return Sidecars(self._db)

    @cached_property
    def takeout(self) -> TakeoutNotes:
        from bulkup.manifest.files.takeout import TakeoutNotes

        return TakeoutNotes(self._db)

    @cached_property
    def accepted_failures(self) -> AcceptedFailures:
        from bulkup.manifest.queue.accepted import AcceptedFailures

        return AcceptedFailures(self._db)

    @cached_property
    def object_checks(self) -> ObjectChecks:
        from bulkup.manifest.verification import ObjectChecks

        return ObjectChecks(self._db)

    @cached_property
    def object_import(self) -> ObjectImport:
        from bulkup.manifest.import_objects import ObjectImport

        return ObjectImport(self._db)

    @cached_property
    def local_files(self) -> LocalFiles:
        from bulkup.manifest.files.local_files import LocalFiles

        return LocalFiles(self._db)

    @cached_property
    def copies(self) -> ManifestCopies:
        from bulkup.manifest.copies import ManifestCopies

        return ManifestCopies(self._db)

    @cached_property
    def merge(self) -> Merge:
        from bulkup.manifest.merge.merge import Merge

        return Merge(self._db)

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
