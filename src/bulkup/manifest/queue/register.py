"""Deduplication: from files that were read to contents, and who sends which under which key.

New contents, the many, take two statements for all of them. Those that are known already, or have
changed since they were last read, are handled one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bulkup.manifest.database.sql import execute_rows
from bulkup.manifest.queue.release import (
    forget_copies,
    release_claims,
    release_content,
    retain_content,
)
from bulkup.manifest.rows import Read, Registered
from bulkup.model import Digest

SpareKey = Callable[[str, Digest], str]
"""The key for a content, by its digest, when its own key holds another content."""


class Registration:
    """The body of one `UploadQueue.register` transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        destination_id: int,
        batch_id: int,
        run_id: str,
        copy: bool,
        spare_key: SpareKey,
    ) -> None:
        self._db = connection
        self._destination_id = destination_id
        self._batch_id = batch_id
        self._run_id = run_id
        self._copy = copy
        self._spare_key = spare_key

    def register(self, reads: Sequence[Read]) -> list[Registered]:
        """As `UploadQueue.register`, in the order of `reads`."""
        if self._name_contents(reads) == len(reads):
            self._update_stats(reads)
            keys = self._reserve(reads)
            return [
                Registered(read.work, key, is_begun=is_begun)
                for read, (key, is_begun) in zip(reads, keys, strict=True)
            ]
        registered: dict[int, Registered] = {}
        to_send: list[tuple[int, Read]] = []
        duplicates: list[tuple[Read, int]] = []
        for read in reads:
            previous_id = self._previous_content(read)
            outcome = self._decide(read)
            if isinstance(outcome, Read):
                to_send.append((read.work.item_id, outcome))
                continue
            is_same = outcome is not None and outcome == previous_id
            registered[read.work.item_id] = Registered(
                read.work, None, is_lost=outcome is None, is_same=is_same
            )
            if outcome is not None and not (is_same and self._has_object(read, outcome)):
                duplicates.append((read, outcome))
        keys = self._reserve([read for _, read in to_send])
        for (item_id, read), (key, is_begun) in zip(to_send, keys, strict=True):
            registered[item_id] = Registered(read.work, key, is_begun=is_begun)
        if self._copy:
            for read, content_id in duplicates:  # after the originals: those choose keys first
                self._reserve_copy(read, content_id)
        return [registered[read.work.item_id] for read in reads]

    def _name_contents(self, reads: Sequence[Read]) -> int:
        """Give each unread content its digest; returns for how many works that is all to be done.

        It is not where another content has the digest already (a duplicate), where the content has
        another digest (the file changed since it was first read), or where the claim was lost.
        """
        return execute_rows(
            self._db,
            "UPDATE OR IGNORE content SET digest = v.column2, media_type = v.column3, "
            "size_bytes = v.column4 FROM (VALUES {rows}) AS v JOIN item ON item.id = v.column5 "
            "WHERE content.id = v.column1 AND (digest IS NULL OR digest = v.column2) "
            "AND item.content_id = v.column1 AND run_id = ? AND state = 'claimed'",
            [
                (
                    work.content_id,
                    bytearray.fromhex(digest),
                    media_type,
                    file.size_bytes,
                    work.item_id,
                )
                for work, digest, file, media_type, _ in reads
            ],
            after=(self._run_id,),
        )

    def _update_stats(self, reads: Sequence[Read]) -> None:
        """The files as they were when they were read, so that the next walk sees no change."""
        moved = [r for r in reads if r.file.size_bytes != r.work.size_bytes]
        for read in moved:
            self._update_stat(read)
        self._db.executemany(
            "UPDATE item SET size_bytes = ? WHERE id = ?",
            ((r.file.size_bytes, r.work.item_id) for r in moved),
        )

    def _update_stat(self, read: Read) -> None:
        self._db.execute(
            "UPDATE asset SET size_bytes = ?, modified_ns = ?, inode = ?, changed_ns = ? "
            "WHERE id = ? AND (size_bytes, modified_ns, inode, changed_ns) <> (?, ?, ?, ?)",
            (*read.file[1:], read.work.asset_id, *read.file[1:]),
        )

    def _previous_content(self, read: Read) -> int | None:
        """The content that the file had before it changed; None for a file that is new."""
        row = self._db.execute(
            "SELECT replaces FROM content WHERE id = ? AND digest IS NULL", (read.work.content_id,)
        ).fetchone()
        return None if row is None else row[0]

    def _has_object(self, read: Read, content_id: int) -> bool:
        """Whether the file shares its content with no other, or has an object of its own."""
        row = self._db.execute(
            "SELECT assets = 1 OR EXISTS (SELECT 1 FROM object WHERE asset_id = ? "
            "AND content_id = content.id AND destination_id = ?) FROM content WHERE id = ?",
            (read.work.asset_id, self._destination_id, content_id),
        ).fetchone()
        return bool(row[0])

    def _decide(self, read: Read) -> Read | int | None:
        """What to do about one work: send this, or nothing, as it is a duplicate of the content
        with this id, or nothing, as another run has the claim or the file now."""
        work = read.work
        row = self._db.execute(
            "SELECT content.digest, asset.content_id FROM item "
            "JOIN content ON content.id = item.content_id "
            "LEFT JOIN asset ON asset.id = ? WHERE item.id = ? AND item.content_id = ? "
            "AND run_id = ? AND state = 'claimed'",
            (work.asset_id, work.item_id, work.content_id, self._run_id),
        ).fetchone()
        if row is None:
            return None
        digest, asset_content_id = row
        if digest == bytes.fromhex(read.digest):
            self._update_stats([read])
            return read
        if asset_content_id != work.content_id:
            # Another scan saw the change that this run read, and recorded it.
            release_claims(self._db, [work.item_id], self._run_id)
            return None
        self._update_stat(read)
        return self._move(read)

    def _move(self, read: Read) -> Read | int:
        """Give the asset the content that it really has. Returns the work to send that, if this
        run is to send it, else the content's id."""
        work = read.work
        content_id = find_or_add_content(
            self._db, read.digest, read.file.size_bytes, read.media_type
        )
        self._db.execute(
            "UPDATE asset SET content_id = ? WHERE id = ?", (content_id, work.asset_id)
        )
        retain_content(self._db, content_id)
        forget_copies(self._db, work.asset_id)
        release_claims(self._db, [work.item_id], self._run_id)
        release_content(self._db, work.content_id)
        mine = self._claim(content_id, read.file.size_bytes)
        if mine is None:
            return content_id
        item_id, attempts, granted = mine
        row = self._db.execute(
            "SELECT key FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original'",
            (content_id, self._destination_id),
        ).fetchone()
        return read._replace(
            work=work._replace(
                item_id=item_id,
                content_id=content_id,
                digest=read.digest,
                attempts=attempts,
                attempts_granted=granted,
            ),
            key=row[0] if row is not None else read.key,
        )

    def _claim(self, content_id: int, size_bytes: int) -> tuple[int, int, int] | None:
        """Claim the content's upload item at this destination: its id, attempts made and granted.
        None when it is not for this run to send."""
        row: tuple[int, int, int] | None = self._db.execute(
            "INSERT INTO item (content_id, destination_id, stage, state, size_bytes, batch_id, "
            "run_id) VALUES (?, ?, 'upload', 'claimed', ?, ?, ?) "
            "ON CONFLICT (content_id, destination_id, stage) DO UPDATE SET state = 'claimed', "
            "run_id = excluded.run_id, batch_id = excluded.batch_id "
            "WHERE state IN ('ready', 'waiting', 'dead') RETURNING id, attempts, attempts_granted",
            (content_id, self._destination_id, size_bytes, self._batch_id, self._run_id),
        ).fetchone()
        return row

    def _reserve_copy(self, read: Read, content_id: int) -> None:
        """Reserve a key for a duplicate's own copy, unless its content has that key already."""
        for key in (read.key, self._spare_key(read.key, read.digest)):
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, asset_id, "
                "size_bytes) VALUES (?, ?, ?, 'copy', ?, ?)",
                (self._destination_id, key, content_id, read.work.asset_id, read.file.size_bytes),
            )
            if cursor.rowcount or holds(self._db, self._destination_id, key, content_id):
                return

    def _reserve(self, reads: Sequence[Read]) -> list[tuple[str, bool]]:
        """A key for each content: the one it has (and True), else the one wanted or a spare one."""
        if any(read.work.digest is not None for read in reads):  # registered earlier
            keys = [self._existing_key(read) for read in reads]
            return [
                (self._new_key(read), False) if key is None else (key, True)
                for read, key in zip(reads, keys, strict=True)
            ]
        reserved = execute_rows(
            self._db,
            "INSERT OR IGNORE INTO object (destination_id, kind, key, content_id, size_bytes) "
            "SELECT ?, 'original', column1, column2, column3 FROM (VALUES {rows})",
            [(r.key, r.work.content_id, r.file.size_bytes) for r in reads],
            before=(self._destination_id,),
        )
        if reserved == len(reads):
            return [(r.key, False) for r in reads]
        return [(self._existing_key(r) or self._new_key(r), False) for r in reads]

    def _existing_key(self, read: Read) -> str | None:
        """The key that is reserved for the content already, if one is."""
        row = self._db.execute(
            "SELECT key FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original' ORDER BY stored_at IS NULL, key = ? DESC",
            (read.work.content_id, self._destination_id, read.key),
        ).fetchone()
        return None if row is None else str(row[0])

    def _new_key(self, read: Read) -> str:
        """The key wanted or, where another content has it, the spare one; reserved now."""
        content_id, size = read.work.content_id, read.file.size_bytes
        spare_key = self._spare_key(read.key, read.digest)
        for key in (read.key, spare_key):
            if reserve(self._db, self._destination_id, key, content_id, size):
                return key
        return spare_key  # taken as well: whoever sends will find out


def find_or_add_content(
    db: sqlite3.Connection, digest: Digest, size_bytes: int, media_type: str | None
) -> int:
    """The id of the content with this digest. A new one has no assets yet."""
    raw = bytes.fromhex(digest)
    row = db.execute("SELECT id FROM content WHERE digest = ?", (raw,)).fetchone()
    if row is not None:
        return int(row[0])
    cursor = db.execute(
        "INSERT INTO content (digest, size_bytes, media_type, assets) VALUES (?, ?, ?, 0)",
        (raw, size_bytes, media_type),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def reserve(
    db: sqlite3.Connection, destination_id: int, key: str, content_id: int, size_bytes: int
) -> bool:
    """Reserve `key` for the content; False when another content has it."""
    db.execute(
        "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, size_bytes) "
        "VALUES (?, ?, ?, 'original', ?)",
        (destination_id, key, content_id, size_bytes),
    )
    return holds(db, destination_id, key, content_id)


def holds(db: sqlite3.Connection, destination_id: int, key: str, content_id: int) -> bool:
    """Whether `key` is stored or reserved for this content."""
    row = db.execute(
        "SELECT 1 FROM object WHERE destination_id = ? AND key = ? AND content_id = ?",
        (destination_id, key, content_id),
    ).fetchone()
    return row is not None
