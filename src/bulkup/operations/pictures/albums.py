"""Albums by the names that users give."""

from __future__ import annotations

from typing import Final
from unicodedata import normalize

from bulkup.errors import UsageError
from bulkup.manifest.reports.albums import AlbumMembers, AlbumQueries

_SHOWN: Final = 30
_SHOWN_CHARACTERS: Final = 80


def members_of(albums: AlbumQueries, name: str) -> AlbumMembers:
    """The files in the albums of this name, in whatever case, composed or decomposed as folders of
    a Mac are. Raises UsageError without any."""
    names = albums.names()
    found = [one for one in names if _folded(one) == _folded(name)]
    if not found:
        raise UsageError(f"there is no album {name!r}", hint=f"Albums: {_listed(names)}.")
    members = [albums.members(one) for one in found]
    return AlbumMembers(
        frozenset().union(*(one.asset_ids for one in members)),
        frozenset().union(*(one.paths for one in members)),
    )


def _folded(name: str) -> str:
    return normalize("NFC", name.casefold())


def _listed(names: list[str]) -> str:
    """As many as can be read: an export may have thousands, and a name may have lines."""
    shown = [one.replace("\n", r"\n") for one in names[:_SHOWN]]
    shown = [
        one if len(one) <= _SHOWN_CHARACTERS else f"{one[:_SHOWN_CHARACTERS]}…" for one in shown
    ]
    if len(names) > _SHOWN:
        shown.append(f"and {len(names) - _SHOWN:,} more (the view albums)")
    return ", ".join(shown) or "none"
