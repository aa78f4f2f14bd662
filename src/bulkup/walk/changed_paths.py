"""The parts of a root that may have changed since its last scan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from bulkup.walk.filters import IGNORE_FILE
from bulkup.walk.listing import FolderListing, is_archive_name


class ChangedPaths:
    """Files, folders and archives of one root that changed, came or went.

    The folder of each is listed, without its subfolders; a changed folder or archive, and the
    folder of a changed ignore file, as a whole.
    """

    def __init__(self, root: str, paths: Iterable[str]) -> None:
        """`paths` are absolute; those outside of `root` are left out."""
        base = root.rstrip("/") + "/"
        self._folders: set[str] = set()
        trees: set[str] = set()
        gone_below: set[str] = set()
        for path in paths:
            if not path.startswith(base):
                continue
            relative = path.removeprefix(base)
            folder = relative[: relative.rfind("/") + 1]
            name = relative.removeprefix(folder)
            self._folders.add(folder)
            gone_below |= {f"{relative}/", f"{relative}#"}
            if name == IGNORE_FILE:
                trees.add(folder)
            elif is_archive_name(name):
                trees.add(f"{relative}#")
            if os.path.isdir(path):
                trees.add(f"{relative}/")
        self._trees = tuple(trees)
        self.gone_below = tuple(gone_below)
        """Prefixes of folders: such a folder, if the scan does not meet it, may be gone."""
        self._above = {
            place[: at + 1]
            for place in (*self._folders, *trees)
            for at, letter in enumerate(place)
            if letter in "/#"
        }

    def __bool__(self) -> bool:
        return bool(self._folders)

    def leads_to(self, folder: str) -> bool:
        """Whether a walk to these paths has to enter `folder` (or an archive, ending in '#')."""
        return folder in self._above or folder.startswith(self._trees)

    def only(self, listings: Iterable[FolderListing]) -> Iterator[FolderListing]:
        """The listings of these folders and what is below the changed ones."""
        for listing in listings:
            if listing.folder in self._folders or listing.folder.startswith(self._trees):
                yield listing
