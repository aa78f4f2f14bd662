"""What a walk's listing means against what was recorded earlier. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from bulkup.errors import ErrorClass
from bulkup.model import LeftOut
from bulkup.walk.listing import FileRow, FolderListing


class Recorded(Protocol):
    """An asset as it was recorded; `file` is a FileRow."""

    @property
    def file(self) -> FileRow: ...

    @property
    def asset_id(self) -> int: ...

    @property
    def is_missing(self) -> bool: ...


R = TypeVar("R", bound=Recorded)


@dataclass(frozen=True, slots=True)
class Changes(Generic[R]):
    """What must be done about one listing; `unchanged` are files that need not be read again."""

    new: list[FileRow] = field(default_factory=list)
    changed: list[tuple[R, FileRow]] = field(default_factory=list)
    unchanged: list[FileRow] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    gone: list[R] = field(default_factory=list)
    broken: list[LeftOut] = field(default_factory=list)


def compare(listing: FolderListing, recorded: Mapping[str, R]) -> Changes[R]:
    """The listing against the recorded assets of the same folder and range of names, by name.

    A file is unchanged when size, mtime, inode and ctime all agree. What was recorded and is not
    there any more is gone, but only where the listing looked at every name; a file that a rule
    leaves out now is neither gone nor changed. Nor is what stands for a folder or an archive that
    could not be opened: that has a listing of its own.
    """
    changes: Changes[R] = Changes(broken=broken(listing.left_out))
    for row in listing.files:
        known = recorded.get(row[0])
        if known is None:
            changes.new.append(row)
        elif tuple(known.file) != tuple(row):
            changes.changed.append((known, row))
        else:
            changes.unchanged.append(row)
            if known.is_missing:
                changes.back.append(known.asset_id)
    if listing.is_exhaustive:
        present = listing.present
        changes.gone.extend(
            known
            for name, known in recorded.items()
            if not known.is_missing and name not in present and not name.endswith("/")
        )
    return changes


def broken(left_out: Iterable[LeftOut]) -> list[LeftOut]:
    """Those that the user would have wanted: they become dead assets.

    A name that vanished between listing and reading is no loss of ours: it was never a file that
    we could have sent.
    """
    return [one for one in left_out if one.error_class not in (None, ErrorClass.MISSING)]
