"""Albums by the names that users give."""

from __future__ import annotations

from unicodedata import normalize

from bulkup.errors import UsageError
from bulkup.manifest.reports.albums import AlbumMembers, AlbumQueries


def members_of(albums: AlbumQueries, name: str) -> AlbumMembers:
    """The files in the albums of this name, in whatever case, composed or decomposed as folders of
    a Mac are. Raises UsageError without any."""
    names = albums.names()
    found = [one for one in names if _folded(one) == _folded(name)]
    if not found:
        raise UsageError(
            f"there is no album {name!r}", hint=f"Albums: {', '.join(names) or 'none'}."
        )
    members = [albums.members(one) for one in found]
    return AlbumMembers(
        frozenset().union(*(one.asset_ids for one in members)),
        frozenset().union(*(one.paths for one in members)),
    )


def _folded(name: str) -> str:
    return normalize("NFC", name.casefold())
