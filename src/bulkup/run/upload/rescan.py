"""Places that could not be read, looked at again: the parts of a walk that lead to them."""

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
        self._prefixes: list[str] = []  # of what is taken whole
        for place in subtrees:
            if place.root != root:
                continue
            self._names.setdefault(place.folder, set()).add(place.name)
            if place.name.endswith("/"):
                self._prefixes.append("" if place.name == "./" else place.folder + place.name)
            elif is_archive_name(place.name):
                self._prefixes.append(f"{place.folder}{place.name}#")
        self._looked_into: set[str] = set()
        self._found: set[tuple[str, str]] = set()  # there, and no archive that could be opened

    def leads_to(self, folder: str) -> bool:
        """Whether a walk that is after these places has to enter `folder`."""
        return self._takes(folder) or any(
            place.startswith(folder) for place in (*self._names, *self._prefixes)
        )

    def only(self, listings: Iterable[FolderListing]) -> Iterator[FolderListing]:
        """Of `listings` what concerns the places; what else was recorded there is not judged."""
        for listing in listings:
            self._found.update((one.folder, one.name) for one in broken(listing.left_out))
            if listing.folder in self._names and listing.is_exhaustive:
                self._looked_into.add(listing.folder)
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
        """Folder and name of each place that is gone, or has listings of its own now.

        Not of what is unreadable still, of what a rule leaves out now, and of files: those have
        changed, and the walk says so.
        """
        return [
            (folder, name)
            for folder in sorted(self._looked_into)
            for name in sorted(self._names[folder])
            if (folder, name) not in self._found
        ]

    def _takes(self, folder: str) -> bool:
        return any(folder.startswith(prefix) for prefix in self._prefixes)


async def recover(context: RunContext, root_id: int, subtrees: UnreadablePaths) -> None:
    """Forget as unreadable what can be read now."""
    await context.call(context.manifest.retry_queue.forget_readable, root_id, subtrees.recovered())
