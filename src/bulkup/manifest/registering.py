"""From read files to contents: who sends which bytes, under which key.

The many that are new cost two statements each. The few that turn out to be known, or to be other
bytes than they were, are settled one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bulkup.manifest.rows import Read, Registered
from bulkup.manifest.walks import release_content
from bulkup.model import Digest

SpareKey = Callable[[str, Digest], str]
"""The key for a content, by digest, whose own key holds another one."""


class Registering:
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
        self._note_stats(reads)
        known = self._name_contents(reads)
        if not known:
            keys = self._reserve(reads)
            return [Registered(read.work, key) for read, key in zip(reads, keys, strict=True)]
        registered: dict[int, Registered] = {}
        to_send = []
        for read in reads:
            if read.work.item_id in known:
                found = self._take_known(read)
                if found is None:
                    registered[read.work.item_id] = Registered(read.work, None)
                    continue
                to_send.append((read.work.item_id, found))
            else:
                to_send.append((read.work.item_id, read))
        keys = self._reserve([read for _, read in to_send])
        for (item_id, read), key in zip(to_send, keys, strict=True):
            registered[item_id] = Registered(read.work, key)
        return [registered[read.work.item_id] for read in reads]

    def _note_stats(self, reads: Sequence[Read]) -> None:
        """The asset as it was when it was read, so that the next walk sees no change."""
        moved = [r for r in reads if r.file.size_bytes != r.work.size_bytes]
        self._db.executemany(
            "UPDATE asset SET size_bytes = ?, modified_ns = ?, inode = ?, changed_ns = ? "
            "WHERE id = ? AND (size_bytes, modified_ns, inode, changed_ns) <> (?, ?, ?, ?)",
            ((*r.file[1:], r.work.asset_id, *r.file[1:]) for r in moved),
        )
        self._db.executemany(
            "UPDATE item SET size_bytes = ? WHERE id = ?",
            ((r.file.size_bytes, r.work.item_id) for r in moved),
        )

    def _name_contents(self, reads: Sequence[Read]) -> set[int]:
        """Give each unread content its digest; the items of those that could not get it.

        That is so where another content has the digest already (a duplicate), and where the
        content has another digest (the file changed since it was first read).
        """
        cursor = self._db.executemany(
            "UPDATE OR IGNORE content SET digest = ?1, media_type = ?2, size_bytes = ?3 "
            "WHERE id = ?4 AND (digest IS NULL OR digest = ?1)",
            (
                (bytes.fromhex(r.digest), r.media_type, r.file.size_bytes, r.work.content_id)
                for r in reads
            ),
        )
        if cursor.rowcount == len(reads):
            return set()
        return {
            r.work.item_id
            for r in reads
            if self._db.execute(
                "SELECT 1 FROM content WHERE id = ? AND digest = ?",
                (r.work.content_id, bytes.fromhex(r.digest)),
            ).fetchone()
            is None
        }

    def _take_known(self, read: Read) -> Read | None:
        """Move the asset to the content it really has; the work to send it, if it is ours to do."""
        work = read.work
        content_id = self._content(read)
        row = self._db.execute(
            "SELECT content_id FROM asset WHERE id = ?", (work.asset_id,)
        ).fetchone()
        if row is not None and row[0] == work.content_id:
            self._db.execute(
                "UPDATE asset SET content_id = ? WHERE id = ?", (content_id, work.asset_id)
            )
            self._db.execute("UPDATE content SET assets = assets + 1 WHERE id = ?", (content_id,))
            self._db.execute(
                "UPDATE item SET live = 1 WHERE content_id = ? AND NOT live", (content_id,)
            )
            self._let_go(work.item_id, work.content_id)
        item_id, is_mine = self._item(content_id, read.file.size_bytes)
        if is_mine:
            row = self._db.execute(
                "SELECT key FROM object WHERE content_id = ? AND destination_id = ? "
                "AND kind = 'original'",
                (content_id, self._destination_id),
            ).fetchone()
            return read._replace(
                work=work._replace(item_id=item_id, content_id=content_id, digest=read.digest),
                key=row[0] if row is not None else read.key,
            )
        if self._copy:
            self._note_copy(read, content_id)
        return None

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

    def _let_go(self, item_id: int, content_id: int) -> None:
        """The claimed item's content has one asset less; with none left the item ends."""
        self._db.execute(
            "UPDATE item SET state = 'ready', run_id = NULL WHERE id = ? AND state = 'claimed'",
            (item_id,),
        )
        release_content(self._db, content_id)

    def _item(self, content_id: int, size_bytes: int) -> tuple[int, bool]:
        """The content's upload item at this destination, and whether this run is to send it."""
        row = self._db.execute(
            "UPDATE item SET state = 'claimed', run_id = ?, batch_id = ? WHERE content_id = ? "
            "AND destination_id = ? AND stage = 'upload' AND state IN ('ready', 'waiting', 'dead') "
            "RETURNING id",
            (self._run_id, self._batch_id, content_id, self._destination_id),
        ).fetchone()
        if row is not None:
            return row[0], True
        row = self._db.execute(
            "INSERT OR IGNORE INTO item (content_id, destination_id, stage, state, size_bytes, "
            "batch_id, run_id) VALUES (?, ?, 'upload', 'claimed', ?, ?, ?) RETURNING id",
            (content_id, self._destination_id, size_bytes, self._batch_id, self._run_id),
        ).fetchone()
        if row is not None:
            return row[0], True
        row = self._db.execute(
            "SELECT id FROM item WHERE content_id = ? AND destination_id = ? AND stage = 'upload'",
            (content_id, self._destination_id),
        ).fetchone()
        return row[0], False

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

    def _reserve(self, reads: Sequence[Read]) -> list[str]:
        """A key for each content: the one wanted, or the spare one where another content has it."""
        cursor = self._db.executemany(
            "INSERT OR IGNORE INTO object (destination_id, key, content_id, kind, size_bytes) "
            "VALUES (?, ?, ?, 'original', ?)",
            ((self._destination_id, r.key, r.work.content_id, r.file.size_bytes) for r in reads),
        )
        if cursor.rowcount == len(reads):
            return [r.key for r in reads]
        return [self._key_of(r) for r in reads]

    def _key_of(self, read: Read) -> str:
        """The key reserved for the content, earlier or now."""
        row = self._db.execute(
            "SELECT key FROM object WHERE content_id = ? AND destination_id = ? "
            "AND kind = 'original' ORDER BY stored_at IS NULL, key = ? DESC",
            (read.work.content_id, self._destination_id, read.key),
        ).fetchone()
        if row is not None:
            return str(row[0])
        spare_key = self._spare_key(read.key, read.digest)
        reserve(
            self._db,
            self._destination_id,
            spare_key,
            read.work.content_id,
            read.file.size_bytes,
        )
        return spare_key


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
