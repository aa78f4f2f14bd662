"""The scan of one root: walked in a thread, recorded in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from bulkup.events import FilesLeftOut, RootWalked
from bulkup.manifest.files.scan_rows import ScanScope
from bulkup.manifest.files.scans import Scans
from bulkup.manifest.rows import Known
from bulkup.run.context import RunContext
from bulkup.run.scan.recorder import Recorded, RootRecorder, Walked
from bulkup.run.stages.claims import Claims
from bulkup.walk.listing import FolderListing
from bulkup.walk.listing_groups import CHUNK_FILES, SMALL_CHUNK_FILES, batched, take_some

QUICK_SECONDS_A_FILE = 20e-6
"""Listing a file of a cached folder takes 3 µs, of a disk or network a hundred times as long."""

Skips = Callable[[Sequence[FolderListing], Scans], list[FolderListing]]
"""Takes out of listings what another root of the push has; called in the manifest's thread."""


class RootScan:
    """The scan of one root of a batch. What it finds goes to `claims`, as far as there is room."""

    def __init__(
        self, context: RunContext, scope: ScanScope, claims: Claims, *, is_settled: bool
    ) -> None:
        self._context = context
        self._root = scope.root
        self._claims = claims
        self._recorder = RootRecorder(
            context.manifest.scans, scope, context.clock, claims.room, is_settled=is_settled
        )
        self._is_quick = False
        self._skips: Skips | None = None
        self.walked = Walked()
        self.json_files: list[str] = []  # left out: some may belong to a Takeout

    def leave_unseen(self, prefixes: Sequence[str]) -> None:
        """What lies below these folders is not listed, and not missing."""
        self._recorder.unseen += prefixes

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
        recorder, marks_missing = self._recorder, is_whole or bool(gone_below)
        began = self._context.clock.monotonic()
        while chunk := await self._next_chunk(listings):
            for some in batched(chunk):  # each is one transaction, which may be repeated
                if self._skips is not None:
                    some = await self._context.call(self._skips, some, self._context.manifest.scans)
                recorded = await self._context.call(
                    recorder.record, some, marks_missing=marks_missing
                )
                self._add(some, recorded)
            recorder.unseen += [prefix for listing in chunk for prefix in listing.unseen]
            recorder.excluded += [prefix for listing in chunk for prefix in listing.excluded]
        if is_whole:
            self.walked.gone += await self._context.call(recorder.end)
        elif gone_below:
            self.walked.gone += await self._context.call(recorder.end_part, tuple(gone_below))
        self._emit_walked(self._context.clock.monotonic() - began)

    def lost(self) -> list[Known]:
        """What could not be opened earlier, was not met by this scan, and does not exist. Call it
        in the manifest's thread."""
        return self._recorder.lost()

    def _add(self, listings: Sequence[FolderListing], recorded: Recorded) -> None:
        """Hand on what was found in some listings."""
        self._recorder.forget_unopened(listings)
        self._count(recorded.walked)
        if left_out := [one for listing in listings for one in listing.left_out]:
            self.json_files += [
                one.folder + one.name for one in left_out if one.name[-5:].lower() == ".json"
            ]
            self._context.emit(FilesLeftOut(self._root, tuple(left_out)))
        if recorded.works or recorded.has_more:
            self._claims.add(recorded.works, more=recorded.has_more)

    def _emit_walked(self, seconds: float) -> None:
        walked = self.walked
        self._context.emit(
            RootWalked(
                root=self._root,
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

    def _count(self, more: Walked) -> None:
        for name in Walked.__slots__:
            setattr(self.walked, name, getattr(self.walked, name) + getattr(more, name))
