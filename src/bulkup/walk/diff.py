"""A listing compared with the assets that were recorded earlier. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from bulkup.errors import ErrorClass
from bulkup.model import LeftOut
from bulkup.walk.copy_names import has_copies, is_copy
from bulkup.walk.listing import FileRow, FolderListing


class RecordedAsset(Protocol):
    """An asset as it was recorded; `file` is a FileRow."""

    @property
    def file(self) -> FileRow: ...

    @property
    def asset_id(self) -> int: ...

    @property
    def is_missing(self) -> bool: ...


R = TypeVar("R", bound=RecordedAsset)


@dataclass(slots=True, eq=False)
class Changes(Generic[R]):
    """What one listing changes; `unchanged` are files that need not be read again."""

    new: list[FileRow] = field(default_factory=list)
    changed: list[tuple[R, FileRow]] = field(default_factory=list)
    unchanged: list[FileRow] = field(default_factory=list)
    back: list[R] = field(default_factory=list)  # were missing; among `unchanged`, too
    gone: list[R] = field(default_factory=list)
    excluded: list[R] = field(default_factory=list)  # there, and a rule leaves them out now
    broken: list[LeftOut] = field(default_factory=list)


def compare(listing: FolderListing, recorded: Mapping[str, R]) -> Changes[R]:
    """Compare the listing with the recorded assets of the same folder and range of names.

    A file is unchanged when size, mtime, inode and ctime all agree. A recorded file that no longer
    exists is gone, but only where the listing is exhaustive. A file that a rule now leaves out is
    neither gone nor changed; nor is the entry for a folder or archive that could not be opened,
    which has a listing of its own. New files are in the order in which they are read: of equal ones
    the first becomes the object.
    """
    changes: Changes[R] = Changes(broken=broken(listing))
    for row in listing.files:
        known = recorded.get(row[0])
        if known is None:
            changes.new.append(row)
        elif tuple(known.file) != tuple(row):
            changes.changed.append((known, row))
        else:
            changes.unchanged.append(row)
            if known.is_missing:
                changes.back.append(known)
    if listing.is_exhaustive:
        present = listing.present
        changes.gone.extend(
            known
            for name, known in recorded.items()
            if not known.is_missing and name not in present and not name.endswith("/")
        )
    if has_copies(row[0] for row in changes.new):
        changes.new.sort(key=_copies_last)
    by_rule = {one.name for one in listing.left_out if one.error_class is None}
    changes.excluded.extend(recorded[name] for name in by_rule & recorded.keys())
    return changes


def broken(listing: FolderListing) -> list[LeftOut]:
    """Those left out that the user would have wanted: they become dead assets.

    In a walk, a name that vanished between listing and reading is not among them: it was never a
    file that could have been sent. A file that the user named is.
    """
    no_failure = (None,) if listing.is_named else (None, ErrorClass.MISSING)
    return [one for one in listing.left_out if one.error_class not in no_failure]


def _copies_last(row: FileRow) -> tuple[bool, str]:
    """Sorts `a.jpg` before `a (1).jpg` and `a copy.jpg`."""
    return is_copy(row[0]), row[0].rpartition(".")[0]
