"""One root in the manifest: its listings compared with what is recorded, and what is missing.

All of it runs in the manifest's thread, but for `forget_unopened`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkup.clock import Clock
from bulkup.content.archive_names import is_tar_name
from bulkup.errors import ErrorClass, SourceUnmounted
from bulkup.manifest.files.scan_rows import Folder, ScanScope
from bulkup.manifest.files.scans import Scans
from bulkup.manifest.rows import File, Known, Unreadable, WorkItem
from bulkup.walk.diff import Changes, broken, compare
from bulkup.walk.listing import FolderListing


@dataclass(slots=True, eq=False)
class Walked:
    """What the scans of a run have found so far."""

    files: int = 0
    size_bytes: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    left_out: int = 0
    duplicates: int = 0  # unchanged files whose bytes another file brings to the destination
    duplicate_bytes: int = 0
    to_do: int = 0
    to_do_bytes: int = 0
    broken: Counter[ErrorClass] = field(default_factory=Counter)  # what cannot be opened

    def add(self, changes: Changes[Known]) -> None:
        """Count the files of one listing."""
        self.new += len(changes.new)
        self.changed += len(changes.changed)
        self.unchanged += len(changes.unchanged)
        self.broken.update(one.error_class or ErrorClass.UNKNOWN for one in changes.broken)
        self.to_do_bytes += sum([row[1] for row in changes.new])
        self.to_do_bytes += sum([row[1] for _, row in changes.changed])


class Recorded(NamedTuple):
    """What was recorded of some listings."""

    works: list[WorkItem]
    has_more: bool  # items that were recorded and not handed over
    walked: Walked


class RootRecorder:
    """Records what the scan of one root of a batch finds."""

    def __init__(
        self,
        scans: Scans,
        scope: ScanScope,
        clock: Clock,
        room: Callable[[], int],
        *,
        is_settled: bool,
    ) -> None:
        """`room` says how many items may be claimed at once."""
        self._scans = scans
        self._scope = scope
        self._clock = clock
        self._room = room
        # Nothing can be pending for unchanged files: their last scan was for this destination,
        # and no upload there is open.
        self._is_settled = is_settled
        self._folders = bytearray()  # one bit for each folder id that was visited
        self._root_id = _identity(scope.root)
        self._unopened: dict[str, Known] | None = None  # that could not be opened earlier
        self.unseen: list[str] = []  # prefixes that were not listed, and are not missing
        self.excluded: list[str] = []  # of those, what a rule leaves out

    def record(self, listings: Sequence[FolderListing], *, marks_missing: bool) -> Recorded:
        """Compare listings with what is recorded, and record what differs, in one transaction.

        With `marks_missing`, what is recorded of their folders and not in them is missing.
        """
        folders: list[Folder] = []
        walked = Walked()
        if self._is_settled:  # mostly there is nothing to write: then without the lock
            folders, walked = self._compared_all(listings, marks_missing=marks_missing)
            if not folders:
                return Recorded([], has_more=False, walked=walked)

        def find() -> list[Folder]:
            nonlocal folders, walked
            folders, walked = self._compared_all(listings, marks_missing=marks_missing)
            return folders

        found = self._scans.record(self._scope, find, now=self._clock.now(), hand_over=self._room())
        walked.to_do = sum(len(folder.new) + len(folder.changed) for folder in folders)
        has_unchanged = any(folder.unchanged for folder in folders)
        has_more = has_unchanged or len(found.works) < walked.to_do
        walked.to_do += found.joined
        walked.to_do_bytes += found.joined_bytes
        walked.duplicates, walked.duplicate_bytes = found.duplicates, found.duplicate_bytes
        return Recorded(found.works, has_more, walked)

    def _compared_all(
        self, listings: Sequence[FolderListing], *, marks_missing: bool
    ) -> tuple[list[Folder], Walked]:
        """What to write about the listings, and their numbers."""
        walked = Walked()
        compared = [
            self._compared(listing, walked, marks_missing=marks_missing) for listing in listings
        ]
        return [folder for folder in compared if folder is not None], walked

    def _compared(
        self, listing: FolderListing, walked: Walked, *, marks_missing: bool
    ) -> Folder | None:
        """What to write about the listing; None for nothing."""
        scans = self._scans
        files = listing.files
        opened = self._opened(listing)
        walked.files += len(files)
        walked.size_bytes += sum([row[1] for row in files])
        folder_id = scans.folder_id(self._scope.root_id, listing.folder)
        if folder_id is None:
            recorded = {}
        else:
            self._mark_visited(folder_id)
            if not opened and self._is_as_recorded(folder_id, listing):
                walked.unchanged += len(files)
                walked.left_out += len(listing.left_out)
                return None
            recorded = {
                known.file.name: known
                for known in scans.known(folder_id, listing.after, listing.upto)
            }
        changes = compare(listing, recorded)
        marks_gone = bool(changes.gone) and marks_missing
        if marks_gone:
            self._require_root()
        walked.gone += len(changes.gone) if marks_gone else 0
        walked.left_out += len(listing.left_out) - len(changes.broken)
        walked.add(changes)
        if is_tar_name(listing.folder[:-1]):
            changes.new.sort(key=lambda row: row[3])  # by their place in the stream
        return self._to_write(listing, changes, [*changes.gone, *opened] if marks_gone else opened)

    def _to_write(
        self, listing: FolderListing, changes: Changes[Known], gone: list[Known]
    ) -> Folder:
        unchanged = [k.file for k in changes.back] if self._is_settled else changes.unchanged
        return Folder(
            path=listing.folder,
            new=[File(*row) for row in changes.new],
            changed=[(known, File(*row)) for known, row in changes.changed],
            unchanged=[File(*row) for row in unchanged],
            back=changes.back,
            gone=gone,
            unreadable=[
                Unreadable(one.folder, one.name, one.error_class or ErrorClass.UNKNOWN, one.reason)
                for one in changes.broken
            ],
            excluded=changes.excluded,
        )

    def _is_as_recorded(self, folder_id: int, listing: FolderListing) -> bool:
        """Whether nothing has changed since, and nothing is left to do."""
        if not self._is_settled or broken(listing):
            return False
        recorded = self._scans.files(folder_id, listing.after, listing.upto)
        return recorded == list(listing.files)

    def _opened(self, listing: FolderListing) -> list[Known]:
        """The asset that stands for this folder or archive while it cannot be opened."""
        if self._unopened is None:
            self._unopened = self._scans.unopened(self._scope.root_id)
        if not self._unopened:
            return []
        known = self._unopened.get(_place(listing))
        is_broken = any(one.folder != listing.folder for one in broken(listing))
        return [] if known is None or is_broken else [known]

    def _mark_visited(self, folder_id: int) -> None:
        index, bit = divmod(folder_id, 8)
        if index >= len(self._folders):
            self._folders.extend(bytes(index + 1024 - len(self._folders)))
        self._folders[index] |= 1 << bit

    def lost(self) -> list[Known]:
        """What could not be opened earlier, was not met by this scan, and does not exist."""
        if self._unopened is None:
            self._unopened = self._scans.unopened(self._scope.root_id)
        return [
            known
            for path, known in self._unopened.items()
            if not os.path.lexists(f"{self._scope.root}/{path}")
        ]

    def end(self) -> int:
        """The whole root was scanned; how many more files are missing."""
        scans, now, lost = self._scans, self._clock.now(), self.lost()
        missing, excluded = self._not_met(("",))
        return scans.end_walk(self._scope, missing, excluded, lost, now=now)

    def end_part(self, prefixes: tuple[str, ...]) -> int:
        """All below these prefixes was scanned; how many more files are missing."""
        missing, _ = self._not_met(prefixes)
        return self._scans.mark_folders_missing(missing, now=self._clock.now())

    def _not_met(self, prefixes: tuple[str, ...]) -> tuple[list[int], list[int]]:
        """Recorded folders below `prefixes` that the scan did not meet: those that are gone, and
        those that a rule leaves out."""
        missing: list[int] = []
        excluded: list[int] = []
        for folder_id, path in self._scans.folders(self._scope.root_id):
            if self._is_visited(folder_id) or not path.startswith(prefixes):
                continue
            if path.startswith(tuple(self.excluded)):
                excluded.append(folder_id)
            elif not path.startswith(tuple(self.unseen)) and self._is_gone(path):
                missing.append(folder_id)
        if missing:
            self._require_root()
        return missing, excluded

    def _require_root(self) -> None:
        """Raise SourceUnmounted if the root is not the directory that the scan began with."""
        if self._root_id is not None and _identity(self._scope.root) != self._root_id:
            raise SourceUnmounted(
                f"{self._scope.root} was removed or unmounted during the scan",
                hint="Nothing of it is recorded as deleted. Push it again when it is back.",
            )

    def _is_visited(self, folder_id: int) -> bool:
        index, bit = divmod(folder_id, 8)
        return index < len(self._folders) and bool(self._folders[index] & 1 << bit)

    def _is_gone(self, path: str) -> bool:
        return not os.path.lexists(f"{self._scope.root}/{path.rstrip('/#')}")

    def forget_unopened(self, recorded: Sequence[FolderListing]) -> None:
        """The end of the scan need not look at places that were visited, or are known to be
        unreadable still."""
        if self._unopened:
            for listing in recorded:
                self._unopened.pop(_place(listing), None)
                for one in broken(listing):
                    self._unopened.pop(one.folder + one.name, None)


def _identity(directory: str) -> tuple[int, int] | None:
    """Device and inode of the directory; None if it is not there."""
    try:
        found = os.stat(directory)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _place(listing: FolderListing) -> str:
    """The path of the folder, or of the archive."""
    return listing.folder.removesuffix("#")
