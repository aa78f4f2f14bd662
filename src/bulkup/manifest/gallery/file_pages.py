"""Pages of assets, in the order in which they were found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.reports.status import FileRow, absolute

SCANNED_AT_MOST = 20_000
"""Assets for one page: where few match, a page may be short and not the last."""


class FilePage(NamedTuple):
    """Some assets, and the id behind which the next page begins; None: there are no more."""

    files: list[FileRow]
    next_after: int | None


class FilePages(Statements):
    """All assets, a page at a time."""

    def page(self, matches: Callable[[str], bool], *, after: int, limit: int) -> FilePage:
        """The assets with ids above `after` whose absolute paths match."""
        rows = self._db.execute(
            "SELECT asset_id, root, path, size_bytes, digest, key, upload, process, embed, "
            "destination FROM files WHERE asset_id > ? ORDER BY asset_id LIMIT ?",
            (after, SCANNED_AT_MOST),
        )
        files: list[FileRow] = []
        for scanned, (asset_id, root, path, *rest) in enumerate(rows, 1):
            whole = absolute(root, path)
            if matches(whole):
                files.append(FileRow(whole, *rest))
            if len(files) == limit or scanned == SCANNED_AT_MOST:
                return FilePage(files, asset_id)
        return FilePage(files, None)
