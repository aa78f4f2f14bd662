"""What the manifest knows of things to come: the questions of a dry run. Reading only."""

from __future__ import annotations

from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql, to_sql
from bulkup.model import Digest, State


class Pending(NamedTuple):
    """The content of a recorded file, and how its upload to one destination stands."""

    content_id: int
    digest: Digest | None
    state: State | None  # None: the destination is new to this content
    run_id: str | None  # who claims it
    error: str | None


class Upload(NamedTuple):
    """How the upload of a content to one destination stands."""

    state: State | None
    run_id: str | None
    key: str | None  # stored or reserved


class DryRunQueries(Statements):
    """Questions about roots, contents and keys. Works on a read-only connection."""

    def root_id(self, path: str) -> int | None:
        """The id of a root that was pushed before."""
        row = self._db.execute("SELECT id FROM root WHERE path = ?", (to_sql(path),)).fetchone()
        return None if row is None else int(row[0])

    def pending(
        self, folder_id: int, after: str | None, upto: str | None, destination_id: int | None
    ) -> dict[str, Pending]:
        """Assets of the folder with after < name <= upto that the destination does not have yet,
        by name; those whose upload is skipped are left out too."""
        limits = ("AND name > ? " if after is not None else "") + (
            "AND name <= ? " if upto is not None else ""
        )
        rows = self._db.execute(
            "SELECT name, asset.content_id, lower(hex(digest)), state, run_id, "
            "error FROM asset "
            "JOIN content ON content.id = asset.content_id "
            "LEFT JOIN item ON item.content_id = asset.content_id AND item.destination_id = ? "
            "AND stage = 'upload' "
            f"WHERE folder_id = ? {limits} AND (state IS NULL OR state NOT IN ('done', 'skipped'))",
            (destination_id, folder_id, *(to_sql(n) for n in (after, upto) if n is not None)),
        )
        return {
            from_sql(name): Pending(
                content_id, Digest(digest) if digest else None, state and State(state), *rest
            )
            for name, content_id, digest, state, *rest in rows
        }

    def upload_of(self, digest: Digest, destination_id: int | None) -> Upload:
        """What is known of these bytes at the destination."""
        row = self._db.execute(
            "SELECT item.state, item.run_id, (SELECT key FROM object "
            "WHERE content_id = content.id AND +destination_id = ?1 AND kind = 'original' "
            "ORDER BY stored_at IS NULL LIMIT 1) FROM content "
            "LEFT JOIN item ON item.content_id = content.id AND item.destination_id = ?1 "
            "AND stage = 'upload' WHERE content.digest = ?2",
            (destination_id, bytes.fromhex(digest)),
        ).fetchone()
        if row is None:
            return Upload(None, None, None)
        return Upload(row[0] and State(row[0]), row[1], row[2])

    def holder_of(self, key: str, destination_id: int | None) -> Digest | None:
        """The digest of the content that a key is stored or reserved for; None when it is free."""
        row = self._db.execute(
            "SELECT lower(hex(content.digest)) FROM object JOIN content ON content.id = content_id "
            "WHERE destination_id = ? AND key = ?",
            (destination_id, key),
        ).fetchone()
        return None if row is None else Digest(row[0] or "")
