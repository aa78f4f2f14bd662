"""The pictures of the last search, kept for the next one: a server is asked more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bulkup.manifest.reports.search import PictureRow, Searchable

MOST_KEPT = 200_000
"""Some 150 MB. More are read again for each search."""


class _Kept(NamedTuple):
    embedder_id: int
    data_version: int
    rows: list[PictureRow]


class KeptSearchable(Searchable):
    """Searchable pictures, read again only when the manifest has changed."""

    _kept: _Kept | None = None
    _pairs: tuple[int, list[tuple[str, str]]] | None = None  # of a data_version

    def pairs(self) -> list[tuple[str, str]]:
        """See Searchable."""
        version = int(self._value("PRAGMA data_version"))
        if self._pairs is None or self._pairs[0] != version:
            self._pairs = version, super().pairs()
        return self._pairs[1]

    def embedded(self, embedder_id: int) -> Iterator[PictureRow]:
        """See Searchable."""
        version = int(self._value("PRAGMA data_version"))
        kept = self._kept
        if kept is None or (kept.embedder_id, kept.data_version) != (embedder_id, version):
            rows = list(super().embedded(embedder_id))
            kept = _Kept(embedder_id, version, rows)
            self._kept = kept if len(rows) <= MOST_KEPT else None
        return iter(kept.rows)
