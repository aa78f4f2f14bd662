"""The scan of one root: walked in a thread, compared with the manifest, recorded in chunks."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkup.content.archive_names import is_tar_name
from bulkup.errors import ErrorClass, SourceUnmounted
from bulkup.events import FilesLeftOut, RootWalked
from bulkup.manifest.files.scan_rows import Folder, ScanScope
from bulkup.manifest.files.scans import Scans
from bulkup.manifest.rows import File, Known, Unreadable, WorkItem
from bulkup.run.context import RunContext
from bulkup.run.stages.claims import Claims
from bulkup.walk.diff import Changes, broken, compare
from bulkup.walk.listing import FolderListing
from bulkup.walk.listing_groups import CHUNK_FILES, SMALL_CHUNK_FILES, batched, take_some

QUICK_SECONDS_A_FILE = 20e-6
"""Listing a file of a cached folder takes 3 µs, of a disk or network a hundred times as long."""


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


Skips = Callable[[Sequence[FolderListing], Scans], list[FolderListing]]
"""Takes out of listings what another root of the push has; called in the manifest's thread."""


class _Recorded(NamedTuple):
    """What was recorded of some listings."""

    works: list[WorkItem]
    has_more: bool  # items that were recorded and not handed over
    walked: Walked


class RootScan:
    """The scan of one root of a batch. What it finds goes to `claims`, as far as there is room."""

    def __init__(
        self, context: RunContext, scope: ScanScope, claims: Claims, *, is_settled: bool
    ) -> None:
        self._context = context
        self._scans = context.manifest.scans
        self._scope = scope
        self._claims = claims
        # Nothing can be pending for unchanged files: their last scan was for this destination,
        # and no upload there is open.
        self._is_settled = is_settled
        self._folders = bytearray()  # one bit for each folder id that was visited
        self._unseen: list[str] = []
        self._root_id = _identity(scope.root)
        self._gone_below: tuple[str, ...] = ()
        self._excluded: list[str] = []  # of those, what a rule leaves out
        self._is_quick = False
        self._unopened: dict[str, Known] | None = None  # that could not be opened earlier
        self._skips: Skips | None = None
        self.walked = Walked()
        self.json_files: list[str] = []  # left out: some may belong to a Takeout

    def leave_unseen(self, prefixes: Sequence[str]) -> None:
        """What lies below these folders is not listed, and not missing."""
        self._unseen += prefixes

    def skip(self, skips: Skips) -> None:
        """Scan only what `skips` leaves of the listings."""
        self._skips = skips

    async def walk(
        self,
        listings: Iterator[FolderListing],
        *,
        is_whole: bool,
        gone_below: Sequence[str] = (),
    ) -> None:
        """Record all `listings`.

        With `is_whole`, files that are in none of them are missing; with `gone_below`, those that
        are not in the listings of their folders, and those below these prefixes.
        """
        self._gone_below = tuple(gone_below)
        began = self._context.clock.monotonic()
        while chunk := await self._next_chunk(listings):
            for some in batched(chunk):  # each is one transaction, which may be repeated
                if self._skips is not None:
                    some = await self._context.call(self._skips, some, self._scans)
                self._add(some, await self._context.call(self._record, some, is_whole=is_whole))
            self._unseen += [prefix for listing in chunk for prefix in listing.unseen]
            self._excluded += [prefix for listing in chunk for prefix in listing.excluded]
        if is_whole:
            self.walked.gone += await self._context.call(self._end)
        elif gone_below:
            self.walked.gone += await self._context.call(self._end_changed)
        self._emit_walked(self._context.clock.monotonic() - began)

    def _add(self, listings: Sequence[FolderListing], recorded: _Recorded) -> None:
        """Hand on what was found in some listings."""
        self._forget_unopened(listings)
        self._count(recorded.walked)
        if left_out := [one for listing in listings for one in listing.left_out]:
            self.json_files += [
                one.folder + one.name for one in left_out if one.name[-5:].lower() == ".json"
            ]
            self._context.emit(FilesLeftOut(self._scope.root, tuple(left_out)))
        if recorded.works or recorded.has_more:
            self._claims.add(recorded.works, more=recorded.has_more)

    def _emit_walked(self, seconds: float) -> None:
        walked = self.walked
        self._context.emit(
            RootWalked(
                root=self._scope.root,
                files=walked.files,
                size_bytes=walked.size_bytes,
                new=walked.new,
                changed=walked.changed,
                unchanged=walked.unchanged,
                gone=walked.gone,
                left_out=walked.left_out,
                seconds=seconds,
            )
        )

    async def _next_chunk(self, listings: Iterator[FolderListing]) -> list[FolderListing]:
        """The next listings: in a thread, unless the last ones came at once, from a cache. Then a
        thread would cost more than it saves (see `run.async_manifest`)."""
        began = self._context.clock.monotonic()
        if self._is_quick:
            await asyncio.sleep(0)
            chunk = take_some(listings, SMALL_CHUNK_FILES)
        else:
            most = CHUNK_FILES if self.walked.files else SMALL_CHUNK_FILES  # sending begins soon
            chunk = await asyncio.to_thread(take_some, listings, most)
        files = sum(len(listing.files) + 1 for listing in chunk)
        self._is_quick = self._context.clock.monotonic() - began < files * QUICK_SECONDS_A_FILE
        return chunk

    def _forget_unopened(self, recorded: Sequence[FolderListing]) -> None:
        """The end of the scan need not look at places that were visited, or are known to be
        unreadable still."""
        if self._unopened:
            for listing in recorded:
                self._unopened.pop(_place(listing), None)
                for one in broken(listing):
                    self._unopened.pop(one.folder + one.name, None)

    def _count(self, more: Walked) -> None:
        for name in Walked.__slots__:
            setattr(self.walked, name, getattr(self.walked, name) + getattr(more, name))

    # In the manifest's thread ---------------------------------------------------------------

    def _record(self, listings: Sequence[FolderListing], *, is_whole: bool) -> _Recorded:
        folders: list[Folder] = []
        walked = Walked()
        if self._is_settled:  # mostly there is nothing to write: then without the lock
            folders, walked = self._compared_all(listings, is_whole=is_whole)
            if not folders:
                return _Recorded([], has_more=False, walked=walked)

        def find() -> list[Folder]:
            nonlocal folders, walked
            folders, walked = self._compared_all(listings, is_whole=is_whole)
            return folders

        found = self._scans.record(
            self._scope, find, now=self._context.clock.now(), hand_over=self._claims.room()
        )
        walked.to_do = sum(len(folder.new) + len(folder.changed) for folder in folders)
        has_unchanged = any(folder.unchanged for folder in folders)
        has_more = has_unchanged or len(found.works) < walked.to_do
        walked.to_do += found.joined
        walked.to_do_bytes += found.joined_bytes
        walked.duplicates, walked.duplicate_bytes = found.duplicates, found.duplicate_bytes
        return _Recorded(found.works, has_more, walked)

    def _compared_all(
        self, listings: Sequence[FolderListing], *, is_whole: bool
    ) -> tuple[list[Folder], Walked]:
        """What to write about the listings, and their numbers."""
        walked = Walked()
        compared = [self._compared(listing, walked, is_whole=is_whole) for listing in listings]
        return [folder for folder in compared if folder is not None], walked

    def _compared(self, listing: FolderListing, walked: Walked, *, is_whole: bool) -> Folder | None:
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
        marks_gone = bool(changes.gone) and (is_whole or bool(self._gone_below))
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

    def _end(self) -> int:
        scans, now, lost = self._scans, self._context.clock.now(), self.lost()
        missing, excluded = self._not_met(("",))
        return scans.end_walk(self._scope, missing, excluded, lost, now=now)

    def _end_changed(self) -> int:
        missing, _ = self._not_met(self._gone_below)
        return self._scans.mark_folders_missing(missing, now=self._context.clock.now())

    def _not_met(self, prefixes: tuple[str, ...]) -> tuple[list[int], list[int]]:
        """Recorded folders below `prefixes` that the scan did not meet: those that are gone, and
        those that a rule leaves out."""
        missing: list[int] = []
        excluded: list[int] = []
        for folder_id, path in self._scans.folders(self._scope.root_id):
            if self._is_visited(folder_id) or not path.startswith(prefixes):
                continue
            if path.startswith(tuple(self._excluded)):
                excluded.append(folder_id)
            elif not path.startswith(tuple(self._unseen)) and self._is_gone(path):
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
