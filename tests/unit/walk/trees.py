"""Trees made for tests, and what a walk says of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bulkup.errors import ErrorClass
from bulkup.walk.listing import FolderListing

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"


def grow(root: Path, *paths: str | bytes, data: bytes = JPEG) -> str:
    """Make these files below `root`; one that ends in '/' is a folder. Returns the root."""
    for path in paths:
        whole = os.path.join(os.fsencode(root), os.fsencode(path))
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        if not whole.endswith(b"/"):
            Path(os.fsdecode(whole)).write_bytes(data)
    return str(root)


def paths_of(listings: Iterable[FolderListing]) -> list[str]:
    """Paths of the selected files, in the order of the walk."""
    return [listing.folder + row[0] for listing in listings for row in listing.files]


def left_out_of(listings: Iterable[FolderListing]) -> dict[str, tuple[str, ErrorClass | None]]:
    """What was left out, by path: reason and error class."""
    return {
        one.folder + one.name: (one.reason, one.error_class)
        for listing in listings
        for one in listing.left_out
    }


def by_folder(listings: Iterable[FolderListing]) -> dict[str, list[FolderListing]]:
    found: dict[str, list[FolderListing]] = {}
    for listing in listings:
        found.setdefault(listing.folder, []).append(listing)
    return found


def all_paths(root: str) -> Iterator[str]:
    """Every file below `root`, by the standard library's walk."""
    for folder, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)
