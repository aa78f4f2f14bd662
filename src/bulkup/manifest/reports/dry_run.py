"""What a dry run asks of the manifest, and the copy of it that the dry run works on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from bulkup.manifest.database.connection import sqlite_errors
from bulkup.manifest.database.migrations import back_up
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.rows import from_sql
from bulkup.model import Digest, Stage, State


class NotSent(NamedTuple):
    """A content that a run has left undone, by one of its files."""

    path: str
    digest: Digest | None
    size_bytes: int
    state: State
    error: str | None


class ToDo(NamedTuple):
    """A content that waits for a stage, by one of its files."""

    path: str
    digest: Digest | None
    size_bytes: int


class DryRunQueries(Statements):
    """Works on a read-only connection."""

    def copy_to(self, target: str) -> None:
        """Make a copy of the manifest in which every waiting upload is due."""
        with sqlite_errors(self._db.path):
            back_up(self._db, target)
            with closing(sqlite3.connect(target)) as copy, copy:
                copy.execute(
                    "UPDATE item SET due_at = 0 WHERE state = 'waiting' AND stage = 'upload'"
                )

    def key_of(self, digest: str, destination_id: int) -> str | None:
        """The key under which the content is stored at the destination, or that is reserved."""
        key: str | None = self._value(
            "SELECT key FROM content JOIN object ON content_id = content.id "
            "WHERE digest = ? AND +destination_id = ? AND kind = 'original' "
            "ORDER BY stored_at IS NULL LIMIT 1",
            bytes.fromhex(digest),
            destination_id,
        )
        return key

    def content_at(self, key: str, destination_id: int) -> tuple[Digest, int] | None:
        """Digest and size in bytes of the content that a key is stored or reserved for."""
        row = self._db.execute(
            "SELECT lower(hex(digest)), object.size_bytes FROM object "
            "JOIN content ON content.id = content_id WHERE destination_id = ? AND key = ?",
            (destination_id, key),
        ).fetchone()
        return None if row is None else (Digest(row[0]), int(row[1]))

    def to_do(self, destination_id: int, stage: Stage, limit: int | None) -> Iterator[ToDo]:
        """What is ready or waiting at a stage, in the order in which a run takes it."""
        rows = self._db.execute(
            "SELECT root.path, folder.path, asset.name, lower(hex(digest)), item.size_bytes "
            "FROM item JOIN content ON content.id = item.content_id "
            "JOIN asset ON asset.id = (SELECT min(id) FROM asset WHERE content_id = content.id) "
            "JOIN folder ON folder.id = asset.folder_id JOIN root ON root.id = folder.root_id "
            "WHERE item.destination_id = ? AND item.stage = ? AND item.live "
            "AND item.state IN ('ready', 'waiting') ORDER BY priority, due_at, item.id LIMIT ?",
            (destination_id, stage.value, -1 if limit is None else limit),
        )
        for root, folder, name, digest, size_bytes in rows:
            path = f"{from_sql(root)}/{from_sql(folder)}{from_sql(name)}"
            yield ToDo(path, Digest(digest) if digest else None, size_bytes)

    def not_sent(self) -> Iterator[NotSent]:
        """What the latest batch has left undone, by path: the items that `UploadQueue.left`
        counts."""
        rows = self._db.execute(
            "WITH latest AS (SELECT id, destination_id FROM batch ORDER BY id DESC LIMIT 1) "
            "SELECT root.path, folder.path, asset.name, lower(hex(digest)), item.size_bytes, "
            "item.state, item.error FROM latest CROSS JOIN item "
            "CROSS JOIN asset ON asset.content_id = item.content_id "
            "CROSS JOIN folder ON folder.id = asset.folder_id "
            "CROSS JOIN root ON root.id = folder.root_id "
            "CROSS JOIN content ON content.id = item.content_id "
            "WHERE item.stage = 'upload' AND item.live "
            "AND item.state IN ('ready', 'waiting', 'claimed', 'dead') "
            "AND (item.batch_id = latest.id OR item.state <> 'ready' "
            "AND item.destination_id = latest.destination_id AND root.id IN "
            "(SELECT root_id FROM batch_root WHERE batch_id = latest.id)) "
            "GROUP BY item.id ORDER BY root.path, folder.path, asset.name"
        )
        for root, folder, name, digest, size_bytes, state, error in rows:
            path = f"{from_sql(root)}/{from_sql(folder)}{from_sql(name)}"
            found = Digest(digest) if digest else None
            yield NotSent(path, found, size_bytes, State(state), error)
