"""Roots of one push that lie in other roots of it: each file counts once, for an outer root.

A nested root is walked all the same: what a rule keeps from the outer walk (a hidden folder, one
that a pattern excludes) was named by the user, and is pushed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from bulkup.manifest.files.scans import Scans
from bulkup.run.job import RootToScan
from bulkup.walk.listing import FolderListing


class NestedRoots:
    """Which folders of nested roots the outer walks have listed. Memory holds their paths."""

    def __init__(self, roots: Sequence[RootToScan]) -> None:
        self._places = {one.named.root: os.path.realpath(one.named.path) for one in roots}
        self._outer = {one.named.root: self._holders(one, roots) for one in roots}
        self.in_order = sorted(roots, key=lambda one: len(self._outer[one.named.root]))
        self._listed: dict[str, set[str]] = {}  # by the outer root: folders in nested ones

    def _holders(self, one: RootToScan, roots: Sequence[RootToScan]) -> list[RootToScan]:
        """The other roots that hold this one."""
        place = self._places[one.named.root]
        return [
            other
            for other in roots
            if other.named.is_whole
            and f"{place}/".startswith(f"{self._places[other.named.root].rstrip('/')}/")
            and (self._places[other.named.root] != place or not one.named.is_whole)
        ]

    def is_nested(self, one: RootToScan) -> bool:
        """Whether another root holds it."""
        return bool(self._outer[one.named.root])

    def noting(self, one: RootToScan, listings: Iterator[FolderListing]) -> Iterator[FolderListing]:
        """The listings of a root; which folders of nested roots they are of is remembered."""
        inner = tuple(
            self._below(one, nested)
            for nested, outer in self._outer.items()
            if any(other.named.root == one.named.root for other in outer)
        )
        if not inner:
            return listings
        return self._noted(self._listed.setdefault(one.named.root, set()), listings, inner)

    def _noted(
        self, listed: set[str], listings: Iterator[FolderListing], inner: tuple[str, ...]
    ) -> Iterator[FolderListing]:
        for listing in listings:
            if listing.folder.startswith(inner):
                listed.add(listing.folder)
            yield listing

    def _below(self, outer: RootToScan, nested: str) -> str:
        """The path of a nested root below an outer one: '' or ending in '/'."""
        path = os.path.relpath(self._places[nested], self._places[outer.named.root])
        return "" if path == "." else f"{path}/"

    def without_covered(
        self, one: RootToScan, listings: Sequence[FolderListing], scans: Scans
    ) -> list[FolderListing]:
        """The listings of a nested root without what outer walks have recorded. For the
        manifest's thread."""
        return [self._uncovered(one, listing, scans) for listing in listings]

    def _uncovered(self, one: RootToScan, listing: FolderListing, scans: Scans) -> FolderListing:
        for outer in self._outer[one.named.root]:
            folder = self._below(outer, one.named.root) + listing.folder
            if folder not in self._listed.get(outer.named.root, ()):
                continue
            folder_id = scans.folder_id(outer.root_id, folder)
            if folder_id is None:
                continue
            names = {file[0] for file in scans.files(folder_id, listing.after, listing.upto)}
            files = [file for file in listing.files if file[0] not in names]
            listing = listing._replace(files=files, left_out=())
        return listing._replace(is_exhaustive=False)
