"""Paths that could not be read, scanned again: the parts of a walk that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bulkup.run.context import RunContext
from bulkup.run.options import Subtree
from bulkup.walk.diff import broken
from bulkup.walk.listing import FolderListing, is_archive_name


class UnreadablePaths:
    """Files, folders and archives below one root."""

    def __init__(self, root: str, subtrees: Iterable[Subtree]) -> None:
        self._names: dict[str, set[str]] = {}  # by folder
        self._prefixes: list[str] = []  # of what is scanned as a whole
        for subtree in subtrees:
            if subtree.root != root:
                continue
            folder, name = subtree.folder, subtree.name
            self._names.setdefault(folder, set()).add(name)
            if name.endswith("/"):
                self._prefixes.append("" if name == "./" else folder + name)
            elif is_archive_name(name):
                self._prefixes.append(f"{folder}{name}#")
        self._listed: set[str] = set()  # folders
        self._found: set[tuple[str, str]] = set()  # present, and no archive that could be opened

    def leads_to(self, folder: str) -> bool:
        """Whether a walk to these paths has to enter `folder`."""
        return self._takes(folder) or any(
            path.startswith(folder) for path in (*self._names, *self._prefixes)
        )

    def names(self, folder: str) -> bool:
        """Whether `folder` is one of these paths, or holds one that is a folder."""
        return any(prefix.startswith(folder) for prefix in self._prefixes)

    def only(self, listings: Iterable[FolderListing]) -> Iterator[FolderListing]:
        """What `listings` have of these paths; nothing else that was recorded becomes missing."""
        for listing in listings:
            self._found.update((one.folder, one.name) for one in broken(listing))
            if listing.folder in self._names and listing.is_exhaustive:
                self._listed.add(listing.folder)
                there = listing.present.difference(listing.archives)
                self._found.update((listing.folder, name) for name in there)
            if self._takes(listing.folder):
                yield listing
            elif listing.folder in self._names:
                names = self._names[listing.folder]
                yield listing._replace(
                    files=[row for row in listing.files if row[0] in names],
                    left_out=[one for one in listing.left_out if one.name in names],
                    archives=[name for name in listing.archives if name in names],
                    is_exhaustive=False,
                )

    def recovered(self) -> list[tuple[str, str]]:
        """Folder and name of each path that is gone, or has listings of its own now.

        Not of what is still unreadable or is ignored by a rule now. Not of files: they have
        changed, which the scan records.
        """
        return [
            (folder, name)
            for folder in sorted(self._listed)
            for name in sorted(self._names[folder])
            if (folder, name) not in self._found
        ]

    def _takes(self, folder: str) -> bool:
        return any(folder.startswith(prefix) for prefix in self._prefixes)


async def recover(context: RunContext, root_id: int, subtrees: UnreadablePaths) -> None:
    """Forget as unreadable what can be read now."""
    await context.call(context.manifest.retry_queue.forget_readable, root_id, subtrees.recovered())
