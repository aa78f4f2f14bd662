"""Contents that clients of `bulkup serve` have announced, and the keys reserved for their objects.

The rules are those of a push: a content that is at the destination is not sent again, it has one
key however many clients send it at the same time, and no key or file name that is taken by another
content is used. A reservation whose client never completes it is dropped a day later.
"""

from __future__ import annotations

from collections.abc import Callable

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.register import find_or_add_content, reserve
from bulkup.manifest.queue.release import UNANNOUNCED
from bulkup.manifest.uploads.files import add_file, is_path_taken
from bulkup.manifest.uploads.rows import Announced, NewReservation, Reservation, StoredUpload
from bulkup.model import Digest

_COLUMNS = (
    "reservation.id, reservation.destination_id, content_id, lower(hex(digest)), owner, key, "
    "folder, name, reservation.size_bytes, reservation.media_type, modified_ns, part_bytes, "
    "store_upload_id, is_done, created_at, expires_at"
)
_RESERVATION = (
    f"SELECT {_COLUMNS} FROM reservation JOIN content ON content.id = reservation.content_id "
)


class Reservations(Statements):
    """Announced uploads, by their ids."""

    def reserve(
        self,
        one: Announced,
        new: NewReservation,
        *,
        spare: Callable[[str, Digest], str],
        may_rename: bool,
    ) -> Reservation | StoredUpload | None:
        """Reserve the key, or another for the content, in one transaction, before a byte is sent.

        The same client's reservation of the same file is returned as it is. StoredUpload: nothing
        is to be sent. A path below the owner's root that another content has becomes `spare(path,
        digest)`; without `may_rename` the result is then None.
        """
        with self._transaction():
            content_id = find_or_add_content(self._db, one.digest, one.size_bytes, one.media_type)
            if is_path_taken(self._db, one, content_id):
                if not may_rename:
                    self._forget_content(content_id)
                    return None
                path = spare(one.folder + one.name, one.digest)
                one = one._replace(name=path.removeprefix(one.folder))
            if (stored := self._stored_key(content_id, new.destination_id)) is not None:
                add_file(self._db, one, content_id, spare)
                return StoredUpload(stored)
            if (found := self._open_one(one, content_id, new.destination_id)) is not None:
                return found
            key = self._reserved_key(one, content_id, new.destination_id, new.key, spare)
            self._db.execute(
                "INSERT INTO reservation (id, destination_id, content_id, owner, key, folder, "
                "name, size_bytes, media_type, modified_ns, part_bytes, created_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    new.id, new.destination_id, content_id, one.owner, key, one.folder, one.name,
                    one.size_bytes, one.media_type, one.modified_ns, one.part_bytes,
                    new.created_at, new.expires_at,
                ),
            )  # fmt: skip
            return self.get(new.id)

    def _open_one(self, one: Announced, content_id: int, destination_id: int) -> Reservation | None:
        """The same client's reservation of the same file."""
        found = self._db.execute(
            f"{_RESERVATION} WHERE content_id = ? AND owner = ? AND folder = ? AND name = ? "
            "AND reservation.destination_id = ? AND NOT is_done "
            "AND part_bytes IS ? ORDER BY created_at",
            (content_id, one.owner, one.folder, one.name, destination_id, one.part_bytes),
        ).fetchone()
        return None if found is None else _reservation(found)

    def size_of(self, digest: Digest) -> int | None:
        """The size of the content with this digest; None for one that is not known."""
        size: int | None = self._value(
            "SELECT size_bytes FROM content WHERE digest = ?", bytes.fromhex(digest)
        )
        return size

    def get(self, reservation_id: str) -> Reservation | None:
        """The reservation; None when there is none, or it was dropped."""
        row = self._db.execute(
            f"{_RESERVATION} WHERE reservation.id = ?", (reservation_id,)
        ).fetchone()
        return None if row is None else _reservation(row)

    def begin_parts(self, reservation_id: str, store_upload_id: str) -> bool:
        """The store has opened this multipart upload; False when another was opened before."""
        return bool(
            self._write(
                "UPDATE reservation SET store_upload_id = ? "
                "WHERE id = ? AND store_upload_id IS NULL",
                store_upload_id,
                reservation_id,
            )
        )

    def rekey(self, one: Reservation, key: str) -> str:
        """The content's key is taken by an object that the manifest does not know: it gets `key`,
        in all its reservations at the destination, unless it has another key by now. Returns it."""
        with self._transaction():
            stored = self._stored_key(one.content_id, one.destination_id)
            if stored is not None:
                return stored
            self._db.execute(
                "DELETE FROM object WHERE +destination_id = ? AND content_id = ? AND key = ? "
                "AND kind = 'original' AND stored_at IS NULL",
                (one.destination_id, one.content_id, one.key),
            )
            reserve(self._db, one.destination_id, key, one.content_id, one.size_bytes)
            self._db.execute(
                "UPDATE reservation SET key = ?, store_upload_id = NULL "
                "WHERE content_id = ? AND destination_id = ? AND key = ? AND NOT is_done",
                (key, one.content_id, one.destination_id, one.key),
            )
            return key

    def settle(
        self,
        one: Reservation,
        *,
        etag: str | None,
        checksum: str | None,
        is_proved: bool,
        spare: Callable[[str, Digest], str],
        now: float,
    ) -> StoredUpload:
        """The store has the object: the file is recorded, its upload is done, and the content is
        ready for `process`, which proves the digest unless it is proved. One transaction. Another
        key than the reservation's: the content has
        been stored under that one meanwhile, and the second object is of no use."""
        with self._transaction():
            stored = self._stored_key(one.content_id, one.destination_id)
            add_file(self._db, one.announced, one.content_id, spare)
            self._db.execute(
                "UPDATE reservation SET is_done = ?, store_upload_id = NULL WHERE id = ?",
                (1 if is_proved or stored is not None else 2, one.id),
            )
            if stored is not None:
                return StoredUpload(stored)
            self._db.execute(
                "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, etag, "
                "checksum, stored_at) VALUES (?, ?, ?, 'original', ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET etag = excluded.etag, checksum = excluded.checksum, "
                "size_bytes = excluded.size_bytes, stored_at = excluded.stored_at "
                "WHERE content_id = excluded.content_id AND stored_at IS NULL",
                (one.destination_id, one.key, one.content_id, one.size_bytes, etag, checksum, now),
            )
            self._end_upload(one, now)
            return StoredUpload(one.key, is_duplicate=False)

    def _end_upload(self, one: Reservation, now: float) -> None:
        """The content's upload is done, and its next stage may begin."""
        self._db.execute(
            "INSERT INTO item (content_id, destination_id, stage, state, size_bytes, attempts, "
            "settled_at) VALUES (?, ?, 'upload', 'done', ?, 1, ?) "
            "ON CONFLICT (content_id, destination_id, stage) DO UPDATE SET state = 'done', "
            "run_id = NULL, in_hand = 0, reason = NULL, error_class = NULL, error = NULL, "
            "settled_at = excluded.settled_at WHERE state <> 'done'",
            (one.content_id, one.destination_id, one.size_bytes, now),
        )
        self._db.execute(
            "INSERT INTO item (content_id, destination_id, stage, state, size_bytes) "
            "VALUES (?, ?, 'process', 'ready', ?) ON CONFLICT (content_id, destination_id, stage) "
            "DO UPDATE SET state = 'ready', attempts = 0, reason = NULL, error_class = NULL, "
            "error = NULL, settled_at = NULL WHERE state = 'dead'",
            (one.content_id, one.destination_id, one.size_bytes),
        )

    def drop(self, one: Reservation) -> None:
        """Give a reservation up; what only it needed is forgotten. No error when there is none."""
        with self._transaction():
            self._db.execute("DELETE FROM reservation WHERE id = ?", (one.id,))
            self._db.execute(
                "DELETE FROM object WHERE content_id = ? AND +destination_id = ? "
                f"AND kind = 'original' AND stored_at IS NULL AND {UNANNOUNCED} "
                "AND NOT EXISTS (SELECT 1 FROM item WHERE item.content_id = object.content_id "
                "AND item.destination_id = object.destination_id AND stage = 'upload')",
                (one.content_id, one.destination_id),
            )
            self._forget_content(one.content_id)

    def stored_key(self, one: Reservation) -> str | None:
        """The key under which the destination has the content; None while it has not."""
        return self._stored_key(one.content_id, one.destination_id)

    def is_only_user(self, one: Reservation) -> bool:
        """Whether an object under the reservation's key is of no use to anybody else: no other
        client is about to send the content, no run is, and it is not recorded."""
        return not self._value(
            "SELECT EXISTS (SELECT 1 FROM reservation WHERE content_id = ?1 "
            "AND destination_id = ?2 AND id <> ?3 AND NOT is_done) "
            "OR EXISTS (SELECT 1 FROM item WHERE content_id = ?1 AND destination_id = ?2 "
            "AND stage = 'upload') "
            "OR EXISTS (SELECT 1 FROM object WHERE destination_id = ?2 AND key = ?4 "
            "AND stored_at IS NOT NULL)",
            one.content_id,
            one.destination_id,
            one.id,
            one.key,
        )

    def expired(self, now: float, *, destination_id: int, limit: int = 100) -> list[Reservation]:
        """Reservations that have expired there, those that expired first at the beginning."""
        rows = self._db.execute(
            f"{_RESERVATION} WHERE expires_at <= ? AND reservation.destination_id = ? "
            "AND is_done < 2 ORDER BY expires_at LIMIT ?",
            (now, destination_id, limit),
        )
        return [_reservation(row) for row in rows]

    def has_expired(self, now: float) -> bool:
        """Whether a reservation has expired, at any destination."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT 1 FROM reservation WHERE expires_at <= ? AND is_done < 2)",
                now,
            )
        )

    def open_uploads(self, destination_id: int) -> set[str]:
        """The ids, at the store, of the multipart uploads that clients are sending to."""
        return set(
            self._column(
                "SELECT store_upload_id FROM reservation WHERE destination_id = ? "
                "AND store_upload_id IS NOT NULL AND NOT is_done",
                destination_id,
            )
        )

    def _stored_key(self, content_id: int, destination_id: int) -> str | None:
        key: str | None = self._value(
            "SELECT key FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original' AND stored_at IS NOT NULL",
            content_id,
            destination_id,
        )
        return key

    def _reserved_key(
        self,
        one: Announced,
        content_id: int,
        destination_id: int,
        key: str,
        spare: Callable[[str, Digest], str],
    ) -> str:
        """The key that the content has already, else the first of two that is free."""
        found = self._value(
            "SELECT key FROM object WHERE content_id = ? AND +destination_id = ? "
            "AND kind = 'original'",
            content_id,
            destination_id,
        )
        if found is not None:
            return str(found)
        if reserve(self._db, destination_id, key, content_id, one.size_bytes):
            return key
        key = spare(key, one.digest)
        reserve(self._db, destination_id, key, content_id, one.size_bytes)
        return key

    def _forget_content(self, content_id: int) -> None:
        """Delete a content of which nothing is known but that it was announced."""
        self._db.execute(
            "DELETE FROM content WHERE id = ?1 AND assets = 0 "
            "AND NOT EXISTS (SELECT 1 FROM reservation WHERE content_id = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM object WHERE content_id = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM item WHERE content_id = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM picture WHERE content_id = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM embedding WHERE content_id = ?1)",
            (content_id,),
        )


def _reservation(row: tuple[object, ...]) -> Reservation:
    found = Reservation._make(row)
    return found._replace(is_done=bool(found.is_done))
