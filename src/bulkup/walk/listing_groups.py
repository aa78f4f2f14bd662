"""Listings in groups: listed together in one hop, recorded together in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bulkup.walk.listing import FolderListing

CHUNK_FILES = 4000
"""Files that are listed together: enough to make a hop between threads cheap, few enough that
uploads start within milliseconds."""

SMALL_CHUNK_FILES = 500
"""The same where it is done in the event loop's thread: some two milliseconds."""

RECORD_FILES = 500
"""Recorded in one transaction: five milliseconds. One for each folder of 100 files took a fifth
more."""


def batched(listings: Iterable[FolderListing]) -> Iterator[list[FolderListing]]:
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


def take_some(listings: Iterable[FolderListing], most: int) -> list[FolderListing]:
    """The next listings, together of some thousand files; empty at the end."""
    chunk: list[FolderListing] = []
    files = 0
    for listing in listings:
        chunk.append(listing)
        files += len(listing.files) + 8
        if files >= most:
            break
    return chunk
