"""From read files to contents: who sends which bytes, under which key.

The many that are new cost two statements each. The few that turn out to be known, or to be other
bytes than they were, are settled one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bulkup.manifest.database.sql import execute_rows
from bulkup.manifest.queue.release import forget_copies, release_claims, release_content
from bulkup.manifest.rows import Read, Registered
from bulkup.model import Digest

SpareKey = Callable[[str, Digest], str]
"""The key for a content, by digest, whose own key holds another one."""


class Registration:
    """The body of one `Queue.register` transaction."""

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
        """As `Queue.register`, in the order of `reads`."""
        if self._name_contents(reads) == len(reads):
            self._note_stats(reads)
            keys = self._reserve(reads)
            return [
                Registered(read.work, key, is_begun=is_begun)
                for read, (key, is_begun) in zip(reads, keys, strict=True)
            ]
        registered: dict[int, Registered] = {}
        to_send: list[tuple[int, Read]] = []
        duplicates: list[tuple[Read, int]] = []
        for read in reads:
            outcome = self._take(read)
            if isinstance(outcome, Read):
                to_send.append((read.work.item_id, outcome))
                continue
            registered[read.work.item_id] = Registered(read.work, None, is_lost=outcome is None)
            if outcome is not None:
                duplicates.append((read, outcome))
        keys = self._reserve([read for _, read in to_send])
        for (item_id, read), (key, is_begun) in zip(to_send, keys, strict=True):
            registered[item_id] = Registered(read.work, key, is_begun=is_begun)
        if self._copy:
            for read, content_id in duplicates:  # after the originals: those choose first
                self._note_copy(read, content_id)
        return [registered[read.work.item_id] for read in reads]

    def _name_contents(self, reads: Sequence[Read]) -> int:
        """Give each unread content its digest; of how many works that makes all there is to know.

        Not of those where another content has the digest already (a duplicate), where the content
        has another digest (the file changed since it was first read), or where the claim was lost.
        """
        return execute_rows(
            self._db,
            "UPDATE OR IGNORE content SET digest = v.column2, media_type = v.column3, "
            "size_bytes = v.column4 FROM (VALUES {rows}) AS v JOIN item ON item.id = v.column5 "
            "WHERE content.id = v.column1 AND (digest IS NULL OR digest = v.column2) "
            "AND item.content_id = v.column1 AND run_id = v.column6 AND state = 'claimed'",
            [
                (
                    r.work.content_id,
                    bytes.fromhex(r.digest),
                    r.media_type,
                    r.file.size_bytes,
                    r.work.item_id,
                    self._run_id,
                )
                for r in reads
            ],
        )

    def _note_stats(self, reads: Sequence[Read]) -> None:
        """The files as they were when they were read, so that the next walk sees no change."""
        moved = [r for r in reads if r.file.size_bytes != r.work.size_bytes]
        for read in moved:
            self._note_stat(read)
        self._db.executemany(
            "UPDATE item SET size_bytes = ? WHERE id = ?",
            ((r.file.size_bytes, r.work.item_id) for r in moved),
        )

    def _note_stat(self, read: Read) -> None:
        self._db.execute(
            "UPDATE asset SET size_bytes = ?, modified_ns = ?, inode = ?, changed_ns = ? "
            "WHERE id = ? AND (size_bytes, modified_ns, inode, changed_ns) <> (?, ?, ?, ?)",
            (*read.file[1:], read.work.asset_id, *read.file[1:]),
        )

    def _take(self, read: Read) -> Read | int | None:
        """What to do about one work: send it; know it for a duplicate of a content, by id; or
        nothing, the claim or the file having gone to another run meanwhile."""
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
            self._note_stats([read])
            return read
        if asset_content_id != work.content_id:
            # Another walk saw the change that we read, and recorded it.
            release_claims(self._db, [work.item_id], self._run_id)
            return None
        self._note_stat(read)
        return self._take_known(read)

    def _take_known(self, read: Read) -> Read | int:
        """Move the asset to the content it really has; the work to send that, if it is ours to do,
        else the content's id."""
        work = read.work
        content_id = self._content(read)
        self._db.execute(
            "UPDATE asset SET content_id = ? WHERE id = ?", (content_id, work.asset_id)
        )
        self._db.execute("UPDATE content SET assets = assets + 1 WHERE id = ?", (content_id,))
        self._db.execute(
            "UPDATE item SET live = 1 WHERE content_id = ? AND NOT live", (content_id,)
        )
        forget_copies(self._db, work.asset_id)
        release_claims(self._db, [work.item_id], self._run_id)
        release_content(self._db, work.content_id)
        mine = self._item(content_id, read.file.size_bytes)
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

    def _content(self, read: Read) -> int:
        digest = bytes.fromhex(read.digest)
        row = self._db.execute("SELECT id FROM content WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            return int(row[0])
        cursor = self._db.execute(
            "INSERT INTO content (digest, size_bytes, media_type, assets) VALUES (?, ?, ?, 0)",
            (digest, read.file.size_bytes, read.media_type),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _item(self, content_id: int, size_bytes: int) -> tuple[int, int, int] | None:
        """The content's upload item at this destination, now claimed, with its attempts made and
        granted; None when it is not this run's to send."""
        row: tuple[int, int, int] | None = self._db.execute(
            "UPDATE item SET state = 'claimed', run_id = ?, batch_id = ? WHERE content_id = ? "
            "AND destination_id = ? AND stage = 'upload' AND state IN ('ready', 'waiting', 'dead') "
            "RETURNING id, attempts, attempts_granted",
            (self._run_id, self._batch_id, content_id, self._destination_id),
        ).fetchone()
        if row is not None:
            return row
        row = self._db.execute(
            "INSERT OR IGNORE INTO item (content_id, destination_id, stage, state, size_bytes, "
            "batch_id, run_id) VALUES (?, ?, 'upload', 'claimed', ?, ?, ?) "
            "RETURNING id, attempts, attempts_granted",
            (content_id, self._destination_id, size_bytes, self._batch_id, self._run_id),
        ).fetchone()
        return None if row is None else row

    def _note_copy(self, read: Read, content_id: int) -> None:
        """Reserve a key for a duplicate's own copy, unless its content has that key already."""
        for key in (read.key, self._spare_key(read.key, read.digest)):
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, asset_id, "
                "size_bytes) VALUES (?, ?, ?, 'copy', ?, ?)",
                (self._destination_id, key, content_id, read.work.asset_id, read.file.size_bytes),
            )
            if cursor.rowcount or self._holds(key, content_id):
                return

    def _holds(self, key: str, content_id: int) -> bool:
        row = self._db.execute(
            "SELECT content_id FROM object WHERE destination_id = ? AND key = ?",
            (self._destination_id, key),
        ).fetchone()
        return row is not None and row[0] == content_id

    def _reserve(self, reads: Sequence[Read]) -> list[tuple[str, bool]]:
        """A key for each content: the one it has (and True), else the one wanted or a spare one."""
        if any(read.work.digest is not None for read in reads):  # registered earlier
            keys = [self._key_had(read) for read in reads]
            return [
                (self._new_key(read), False) if key is None else (key, True)
                for read, key in zip(reads, keys, strict=True)
            ]
        reserved = execute_rows(
            self._db,
            "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, size_bytes) "
            "VALUES {rows}",
            [
                (self._destination_id, r.key, r.work.content_id, "original", r.file.size_bytes)
                for r in reads
            ],
        )
        if reserved == len(reads):
            return [(r.key, False) for r in reads]
        return [(self._key_had(r) or self._new_key(r), False) for r in reads]

    def _key_had(self, read: Read) -> str | None:
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


def reserve(
    db: sqlite3.Connection, destination_id: int, key: str, content_id: int, size_bytes: int
) -> bool:
    """Reserve `key` for the content; False when another content has it."""
    db.execute(
        "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, size_bytes) "
        "VALUES (?, ?, ?, 'original', ?)",
        (destination_id, key, content_id, size_bytes),
    )
    row = db.execute(
        "SELECT content_id FROM object WHERE destination_id = ? AND key = ?",
        (destination_id, key),
    ).fetchone()
    return bool(row[0] == content_id)
