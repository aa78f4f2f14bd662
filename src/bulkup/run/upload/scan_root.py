"""The scan of one root: walked in a thread, compared with the manifest, recorded in chunks."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkup.content.takeout.places import may_be_note
from bulkup.errors import ErrorClass
from bulkup.events import FilesLeftOut, RootWalked
from bulkup.manifest.files.scans import Folder, ScanScope
from bulkup.manifest.rows import File, Known, Unreadable, WorkItem
from bulkup.run.context import RunContext
from bulkup.run.stages.claims import Claims
from bulkup.walk.diff import Changes, broken, compare
from bulkup.walk.listing import FolderListing

CHUNK_FILES = 4000
"""Files that are listed together: enough to make a hop between threads cheap, few enough that
uploads start within milliseconds."""

SMALL_CHUNK_FILES = 500
"""The same where it is done in the event loop's thread: some two milliseconds."""

RECORD_FILES = 500
"""Recorded in one transaction: five milliseconds. One for each folder of 100 files took a fifth
more."""

QUICK_SECONDS_A_FILE = 20e-6
"""Listing a file of a cached folder takes 3 µs, of a disk or network a hundred times as long."""


@dataclass(slots=True)
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
        self._excluded: list[str] = []  # of those, what a rule leaves out
        self._is_quick = False
        self._unopened: dict[str, Known] | None = None  # that could not be opened earlier
        self.walked = Walked()
        self.notes: list[str] = []  # paths of JSON files that may belong to a Takeout

    async def walk(self, listings: Iterator[FolderListing], *, whole_root: bool) -> None:
        """Record all `listings`. With `whole_root`, files that are in none of them are missing."""
        began = self._context.clock.monotonic()
        while chunk := await self._next_chunk(listings):
            for some in _batched(chunk):  # each is one transaction, which may be repeated
                recorded = await self._context.call(self._record, some, whole_root)
                self._forget_unopened(some)
                self._count(recorded.walked)
                if left_out := [one for listing in some for one in listing.left_out]:
                    self.notes += [
                        path for one in left_out if may_be_note(path := one.folder + one.name)
                    ]
                    self._context.emit(FilesLeftOut(self._scope.root, tuple(left_out)))
                if recorded.works or recorded.has_more:
                    self._claims.add(recorded.works, more=recorded.has_more)
            self._unseen += [prefix for listing in chunk for prefix in listing.unseen]
            self._excluded += [prefix for listing in chunk for prefix in listing.excluded]
        if whole_root:
            self.walked.gone += await self._context.call(self._end)
        self._context.emit(
            RootWalked(
                root=self._scope.root,
                files=self.walked.files,
                size_bytes=self.walked.size_bytes,
                new=self.walked.new,
                changed=self.walked.changed,
                unchanged=self.walked.unchanged,
                gone=self.walked.gone,
                left_out=self.walked.left_out,
                seconds=self._context.clock.monotonic() - began,
            )
        )

    async def _next_chunk(self, listings: Iterator[FolderListing]) -> list[FolderListing]:
        """The next listings: in a thread, unless the last ones came at once, from a cache. Then a
        thread would cost more than it saves (see `run.async_manifest`)."""
        began = self._context.clock.monotonic()
        if self._is_quick:
            await asyncio.sleep(0)
            chunk = _chunk(listings, SMALL_CHUNK_FILES)
        else:
            chunk = await asyncio.to_thread(_chunk, listings, CHUNK_FILES)
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

    def _record(self, listings: Sequence[FolderListing], whole_root: bool) -> _Recorded:
        folders: list[Folder] = []
        walked = Walked()
        if self._is_settled:  # mostly there is nothing to write: then without the lock
            folders, walked = self._compared_all(listings, whole_root)
            if not folders:
                return _Recorded([], False, walked)

        def find() -> list[Folder]:
            nonlocal folders, walked
            folders, walked = self._compared_all(listings, whole_root)
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
        self, listings: Sequence[FolderListing], whole_root: bool
    ) -> tuple[list[Folder], Walked]:
        """What to write about the listings, and their numbers."""
        walked = Walked()
        compared = [self._compared(listing, walked, whole_root) for listing in listings]
        return [folder for folder in compared if folder is not None], walked

    def _compared(self, listing: FolderListing, walked: Walked, whole_root: bool) -> Folder | None:
        """What to write about the listing; None for nothing."""
        walks = self._scans
        files = listing.files
        opened = self._opened(listing)
        walked.files += len(files)
        walked.size_bytes += sum([row[1] for row in files])
        folder_id = walks.folder_id(self._scope.root_id, listing.folder)
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
                for known in walks.known(folder_id, listing.after, listing.upto)
            }
        changes = compare(listing, recorded)
        walked.gone += len(changes.gone) if whole_root else 0
        walked.left_out += len(listing.left_out) - len(changes.broken)
        walked.add(changes)
        unchanged = [k.file for k in changes.back] if self._is_settled else changes.unchanged
        return Folder(
            path=listing.folder,
            new=[File(*row) for row in changes.new],
            changed=[(known, File(*row)) for known, row in changes.changed],
            unchanged=[File(*row) for row in unchanged],
            back=changes.back,
            gone=[*changes.gone, *opened] if whole_root else opened,
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
        walks, now, lost = self._scans, self._context.clock.now(), self.lost()
        missing: list[int] = []
        excluded: list[int] = []
        for folder_id, path in walks.folders(self._scope.root_id):
            if self._is_visited(folder_id):
                continue
            if path.startswith(tuple(self._excluded)):
                excluded.append(folder_id)
            elif not path.startswith(tuple(self._unseen)) and self._is_gone(path):
                missing.append(folder_id)
        return walks.end_walk(self._scope, missing, excluded, lost, now=now)

    def _is_visited(self, folder_id: int) -> bool:
        index, bit = divmod(folder_id, 8)
        return index < len(self._folders) and bool(self._folders[index] & 1 << bit)

    def _is_gone(self, path: str) -> bool:
        return not os.path.lexists(f"{self._scope.root}/{path.rstrip('/#')}")


def _place(listing: FolderListing) -> str:
    """The path of the folder, or of the archive."""
    return listing.folder.removesuffix("#")


def _batched(listings: Iterable[FolderListing]) -> Iterator[list[FolderListing]]:
    """Listings to compare and record together: some hundred files, no folder twice, since its
    next listing is compared with what was recorded of the last one."""
    some: list[FolderListing] = []
    folders: set[str] = set()
    files = 0
    for listing in listings:
        if some and (listing.folder in folders or files + len(listing.files) > RECORD_FILES):
            yield some
            some, folders, files = [], set(), 0
        some.append(listing)
        folders.add(listing.folder)
        files += len(listing.files)
    if some:
        yield some


def _chunk(listings: Iterable[FolderListing], most: int) -> list[FolderListing]:
    """The next listings, together of some thousand files; empty at the end."""
    chunk: list[FolderListing] = []
    files = 0
    for listing in listings:
        chunk.append(listing)
        files += len(listing.files) + 8
        if files >= most:
            break
    return chunk
