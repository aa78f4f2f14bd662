"""The scan of a job: finds the files of its roots, one root after the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial

from bulkup.errors import SourceUnmounted
from bulkup.events import Notice
from bulkup.manifest.files.scan_rows import ScanScope
from bulkup.manifest.rows import Known
from bulkup.run.job import JobContext, RootToScan
from bulkup.run.options import NamedRoot
from bulkup.run.scan.nested_roots import NestedRoots
from bulkup.run.scan.recorder import Walked
from bulkup.run.scan.scan_root import RootScan
from bulkup.run.stages.claims import Claims
from bulkup.stores.urls import is_directory
from bulkup.walk.listing import FolderListing
from bulkup.walk.mounts import absent_mounts, mounts_below, read_mounts
from bulkup.walk.own_files import OwnFolder
from bulkup.walk.walk import walk

MANY_FILES = 10
"""A directory that had so many files, all of them gone at once, is a disk that is not mounted."""

HOP_LISTINGS = 64
"""So many listings of single files are worth a hop between threads."""


class Scan:
    """Finds the files of a job and hands them over to its upload stage."""

    def __init__(self, job: JobContext, claims: Claims) -> None:
        """What is found goes to `claims`."""
        self._context = job.run
        self._job = job.job
        self._begun = job.begun
        self._claims = claims
        self._root_scans: list[RootScan] = []
        self._requeues_failed = False  # what failed with other options
        self.is_under_way = True
        self._nested = NestedRoots(())
        self._takeout: str | None = None  # what is to be said about notes

    @property
    def walked(self) -> list[Walked]:
        """What was found so far, one for each root."""
        return [root_scan.walked for root_scan in self._root_scans]

    async def run(self) -> None:
        """Scan all roots that are to be scanned."""
        order, destination = self._job.order, self._job.destination
        queue = self._context.manifest.upload_queue
        pending = await self._context.call(queue.has_pending, destination.id)
        self._requeues_failed = await self._context.call(
            self._context.manifest.retry_queue.has_other_options,
            destination.id,
            self._begun.batch_id,
        )
        has_work = pending or self._requeues_failed
        self._nested = NestedRoots(self._begun.to_scan)
        root_scans = {
            one.named.root: (one, self._root_scan(one, is_settled=one.is_known and not has_work))
            for one in self._nested.in_order
        }
        self._root_scans = [root_scan for _, root_scan in root_scans.values()]
        if order.files_from is not None and root_scans:
            await self._walk_listed(
                {root: root_scan for root, (_, root_scan) in root_scans.items()}
            )
        else:
            for one, root_scan in root_scans.values():
                await self._walk(one, root_scan)
        self.is_under_way = False
        await self._read_takeout(root_scans.values())
        if order.makes_albums:
            from bulkup.run.scan.takeout import make_folder_albums

            await self._context.call(make_folder_albums, self._context, set(root_scans))

    async def _read_takeout(self, scanned: Collection[tuple[RootToScan, RootScan]]) -> None:
        """Read the notes of an export, where there is one."""
        has_json = any(root_scan.json_files for _, root_scan in scanned)
        if not has_json and not await self._context.call(self._context.manifest.scans.has_notes):
            return
        from bulkup.run.scan.takeout import FoundNotes, read_takeout

        self._takeout = await read_takeout(
            self._context,
            [
                FoundNotes.among(one.root_id, one.named.path, root_scan.json_files)
                for one, root_scan in scanned
            ],
            has_new_files=any(one.new or one.changed for one in self.walked),
        )

    async def end_takeout(self) -> None:
        """Give notes to pictures that turned out to be equal to others when they were read, and
        say which have none. Raises ManifestError."""
        if not await self._context.call(self._context.manifest.scans.notes_are_joined):
            from bulkup.run.scan.takeout import join_equal_files

            self._takeout = await join_equal_files(self._context)
        if self._takeout is not None:
            self._context.emit(Notice(self._takeout))

    def _root_scan(self, one: RootToScan, *, is_settled: bool) -> RootScan:
        return RootScan(self._context, self._scope(one), self._claims, is_settled=is_settled)

    def _scope(self, one: RootToScan) -> ScanScope:
        return ScanScope(
            one.root_id,
            one.named.path,
            self._job.destination.id,
            self._begun.batch_id,
            self._context.run_id,
            self._requeues_failed,
            self._begun.is_new,
        )

    async def _walk(self, one: RootToScan, root_scan: RootScan) -> None:
        order, named, is_whole = self._job.order, one.named, False
        absent = await self._absent_mounts(one)
        root_scan.leave_unseen(absent)
        if order.changed:
            from bulkup.walk.changed_paths import ChangedPaths

            changed = ChangedPaths(named.path, order.changed)

            def enters(folder: str) -> bool:
                return changed.leads_to(folder) and not folder.startswith(absent)

            listings = self._listings(named, enters)
            await root_scan.walk(
                changed.only(listings), is_whole=False, gone_below=changed.gone_below
            )
        elif order.subtrees:
            from bulkup.run.scan.rescan import UnreadablePaths, recover

            subtrees = UnreadablePaths(named.path, order.subtrees)
            listings = self._listings(named, subtrees.leads_to, is_named=subtrees.names)
            await root_scan.walk(subtrees.only(listings), is_whole=False)
            await recover(self._context, one.root_id, subtrees)
        else:
            await self._require_disk(one)
            listings = self._listings(
                named, (lambda folder: not folder.startswith(absent)) if absent else None
            )
            is_whole = named.is_whole and not self._nested.is_nested(one)
            if self._nested.is_nested(one):
                root_scan.skip(partial(self._nested.without_covered, one))
            elif not is_whole:
                listings = map(_not_exhaustive, listings)
            await root_scan.walk(self._nested.noting(one, listings), is_whole=is_whole)
        if order.changed or order.subtrees or not is_whole:
            await self._end(one)

    def _listings(
        self,
        named: NamedRoot,
        enters: Callable[[str], bool] | None,
        *,
        is_named: Callable[[str], bool] = lambda _: False,
    ) -> Iterator[FolderListing]:
        url = self._job.destination.url
        return walk(
            named.root,
            self._job.order.selection,
            enters=enters,
            is_named=is_named,
            destination=OwnFolder(url) if is_directory(url) else None,
        )

    async def _absent_mounts(self, one: RootToScan) -> tuple[str, ...]:
        """Prefixes of folders below the root where a file system was mounted once, and is not now.

        Their files are neither there nor deleted. Raises SourceUnmounted for the root itself.
        """
        known_mounts = self._context.manifest.known_mounts
        present = mounts_below(one.named.path, read_mounts())
        known = await self._context.call(known_mounts.of_root, one.root_id)
        absent = absent_mounts(one.named.path, known, present)
        if "" in absent:
            raise _unmounted(one.named.root)
        if not known.issuperset(present):
            await self._context.call(known_mounts.add, one.root_id, present)
        return tuple(f"{path}/" for path in absent)

    async def _require_disk(self, one: RootToScan) -> None:
        """Raise SourceUnmounted if the root is an empty directory now and had many files."""
        with suppress(OSError), os.scandir(one.named.root) as entries:
            if next(entries, None) is None and await self._context.call(
                self._context.manifest.scans.has_files, one.root_id, MANY_FILES
            ):
                raise _unmounted(one.named.root)

    async def _walk_listed(self, root_scans: dict[str, RootScan]) -> None:
        """Listed files: some of each root, so nothing is ever missing."""
        from bulkup.walk.files_from import ListedFolders, listed, read_paths

        order = self._job.order
        assert order.files_from is not None
        found = listed(
            read_paths(order.files_from), list(root_scans), order.selection, cwd=order.cwd
        )
        waiting: dict[str, list[FolderListing]] = {}
        folders = ListedFolders()
        loop = asyncio.get_running_loop()
        while some := await loop.run_in_executor(None, _some, found):
            for root, listing in some:
                folders.note(root, listing)
                waiting.setdefault(root, []).append(_not_exhaustive(listing))
            for root, listings in waiting.items():
                await root_scans[root].walk(iter(listings), is_whole=False)
            waiting.clear()
        for one in self._begun.to_scan:
            lost = await self._context.call(root_scans[one.named.root].lost)
            await self._end(one, lost)
        if left := await asyncio.to_thread(folders.not_entered):
            self._context.emit(_folders_listed(left))

    async def _end(self, one: RootToScan, lost: Sequence[Known] = ()) -> None:
        """Record that the scan of a part of a root has ended."""
        scans = self._context.manifest.scans
        await self._context.call(
            scans.end_part, self._scope(one), lost, now=self._context.clock.now()
        )


def _unmounted(root: str) -> SourceUnmounted:
    return SourceUnmounted(
        f"{root} had files before and is empty; is the disk mounted?",
        hint="Mount it and push again. If the files were deleted on purpose, remove the "
        "directory: their objects are kept.",
    )


def _folders_listed(folders: Sequence[str]) -> Notice:
    more = f" and {len(folders) - 1:,} more" if len(folders) > 1 else ""
    return Notice(
        f"--files-from: {folders[0]} is a folder{more}: nothing in it was taken",
        hint="The list names files. To push folders: bulkup push FOLDER…\n"
        "To list their files: find FOLDER -type f",
    )


def _not_exhaustive(listing: FolderListing) -> FolderListing:
    return listing._replace(is_exhaustive=False)


def _some(found: Iterator[tuple[str, FolderListing]]) -> list[tuple[str, FolderListing]]:
    some = []
    for one in found:
        some.append(one)
        if len(some) >= HOP_LISTINGS:
            break
    return some
