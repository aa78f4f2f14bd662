"""Objects as they should be at a destination: what `verify` checks, what it finds, and what
`rebuild` adds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkup.errors import ErrorClass
from bulkup.manifest.database.sql import Statements
from bulkup.manifest.queue.register import SpareKey
from bulkup.manifest.rows import as_text, from_sql
from bulkup.model import Digest, Stage

_BAD_ORIGINAL = (
    "(kind = 'original' AND EXISTS (SELECT 1 FROM item WHERE item.content_id = object.content_id "
    "AND item.destination_id = object.destination_id AND stage = 'upload' AND state = 'dead' "
    "AND error_class IN ('missing', 'changed') AND "
    "(SELECT outcome FROM attempt WHERE item_id = item.id ORDER BY id DESC LIMIT 1) "
    "IS NOT 'failed'))"
)
"""An object that an earlier check found bad and that was not sent again since: the item died
without a failed attempt."""

_BAD_VARIANT = (
    "(variant_digest IS NOT NULL AND EXISTS (SELECT 1 FROM item "
    "WHERE item.content_id = object.content_id "
    "AND item.destination_id = object.destination_id AND stage = 'process' AND state = 'dead' "
    "AND error_class IN ('missing', 'changed')))"
)
"""A variant that an earlier check found bad: nothing else empties `stored_at` of a variant. It
stays bad until the picture is processed again."""

_TO_CHECK = f"(stored_at IS NOT NULL OR {_BAD_ORIGINAL} OR {_BAD_VARIANT})"

_SPARES = 8
"""So many spare keys are tried; each contains eight characters of the content's own digest."""


class StoredObject(NamedTuple):
    """An object as it was when it was stored. `stored_at` is None for a bad one.

    `digest` is that of the object's own bytes, None of one that was adopted and not read yet;
    `variant` is the name of a variant.
    """

    key: str
    content_id: int
    digest: Digest | None
    size_bytes: int
    etag: str | None
    checksum: str | None  # composite of a multipart object
    stored_at: float | None
    variant: str | None = None


class BadObject(NamedTuple):
    """An object that is not what was stored. With `gives_up_key` the content gets another key, as
    what is under this one passes for it."""

    recorded: StoredObject
    error_class: ErrorClass
    error: str
    gives_up_key: bool


class Confirmed(NamedTuple):
    """An object that was found to hold its content, and the ETag that it was found with."""

    recorded: StoredObject
    etag: str | None


class ObjectChecks(Statements):
    """Objects of one destination, in the order of their keys."""

    # What to check --------------------------------------------------------------------------

    def count(self, destination_id: int) -> int:
        """How many objects `objects` will return in all."""
        return int(
            self._value(
                f"SELECT count(*) FROM object WHERE destination_id = ? AND {_TO_CHECK}",
                destination_id,
            )
        )

    def objects(
        self, destination_id: int, after: str, upto: str | None, *, limit: int
    ) -> list[StoredObject]:
        """What the destination should hold with after < key <= upto, by the keys' bytes in UTF-8.

        `after` may be '' (from the first on), `upto` None (to the last).
        """
        rows = self._db.execute(
            "SELECT key, content_id, "
            "nullif(lower(hex(coalesce(variant_digest, content.digest))), ''), "
            "object.size_bytes, etag, checksum, stored_at, "
            "CASE WHEN variant_digest IS NOT NULL THEN kind END FROM object "
            "CROSS JOIN content ON content.id = content_id "
            f"WHERE destination_id = ? AND key > ? {'' if upto is None else 'AND key <= ?'} "
            f"AND {_TO_CHECK} ORDER BY key LIMIT ?",
            (destination_id, after, *(() if upto is None else (upto,)), limit),
        )
        return [StoredObject(*row) for row in rows]

    def known_keys(self, destination_id: int, keys: Iterable[str]) -> set[str]:
        """Which of the keys have a row: stored, reserved, or those of a variant."""
        return set(
            self._column(
                "SELECT key FROM object WHERE destination_id = ? "
                "AND key IN (SELECT value FROM json_each(?))",
                destination_id,
                json.dumps(list(keys)),
            )
        )

    def paths(self, content_id: int) -> list[str]:
        """The absolute paths of all files that have the content, missing ones included."""
        rows = self._db.execute(
            "SELECT root.path, folder.path, asset.name FROM asset "
            "JOIN folder ON folder.id = asset.folder_id JOIN root ON root.id = folder.root_id "
            "WHERE asset.content_id = ? ORDER BY asset.id",
            (content_id,),
        )
        return [
            f"{from_sql(root).rstrip('/')}/{from_sql(folder)}{from_sql(name)}"
            for root, folder, name in rows
        ]

    # What was found -------------------------------------------------------------------------

    def mark_bad(
        self,
        bad: Sequence[BadObject],
        *,
        destination_id: int,
        spare_key: SpareKey,
        now: float,
    ) -> None:
        """Record what is not as it was stored; one transaction.

        The content's upload is dead until `retry`, and its key reserved; for a variant it is the
        content's process item. A copy is to be made again. What has been sent or made again
        meanwhile stays done.
        """
        with self._transaction():
            for one in bad:
                self._mark_bad(one, destination_id, spare_key, now)

    def _mark_bad(
        self, bad: BadObject, destination_id: int, spare_key: SpareKey, now: float
    ) -> None:
        recorded = bad.recorded
        row = self._db.execute(
            "UPDATE object SET stored_at = NULL WHERE destination_id = ? AND key = ? "
            "AND content_id = ? AND stored_at = ? RETURNING kind, asset_id",
            (destination_id, recorded.key, recorded.content_id, recorded.stored_at),
        ).fetchone()
        if row is None:
            return
        kind, asset_id = row
        if kind == "copy":
            if asset_id is None:  # the asset that it was made for is gone
                self._db.execute(
                    "DELETE FROM object WHERE destination_id = ? AND key = ?",
                    (destination_id, recorded.key),
                )
            return
        reason = (bad.error_class.value, as_text(bad.error))
        self._db.execute(
            "UPDATE item SET state = 'dead', error_class = ?, error = ?, settled_at = ? "
            "WHERE content_id = ? AND destination_id = ? AND stage = ? AND state = 'done'",
            (*reason, now, recorded.content_id, destination_id, _stage_of(recorded)),
        )
        if bad.gives_up_key and recorded.variant is None and recorded.digest is not None:
            self._move(recorded, recorded.digest, destination_id, spare_key)

    def _move(
        self, recorded: StoredObject, digest: Digest, destination_id: int, spare_key: SpareKey
    ) -> None:
        """Reserve the first spare key that is free instead of the content's own."""
        key = recorded.key
        for _ in range(_SPARES):
            key = spare_key(key, digest)
            moved = self._db.execute(
                "UPDATE OR IGNORE object SET key = ? WHERE destination_id = ? AND key = ?",
                (key, destination_id, recorded.key),
            )
            if moved.rowcount:
                return

    def is_bad_variant(self, destination_id: int, key: str) -> bool:
        """Whether the object under the key is a variant that is to be made again."""
        found = self._value(
            "SELECT 1 FROM object WHERE destination_id = ? AND key = ? "
            "AND variant_digest IS NOT NULL AND stored_at IS NULL",
            destination_id,
            key,
        )
        return found is not None

    def bad_variants(self, destination_id: int, contents: Sequence[int]) -> list[str]:
        """The keys of variants of these contents that are to be made again."""
        return self._column(
            "SELECT key FROM object WHERE content_id IN (SELECT value FROM json_each(?)) "
            "AND +destination_id = ? AND variant_digest IS NOT NULL AND stored_at IS NULL",
            json.dumps(contents),
            destination_id,
        )

    def mark_good(self, confirmed: Sequence[Confirmed], *, destination_id: int, now: float) -> None:
        """Record that these are as they were stored; one transaction.

        The next check then recognises them by their ETags. One that was bad earlier is done again,
        as soon as all variants of its content are good.
        """
        with self._transaction():
            for recorded, etag in confirmed:
                as_recorded = (recorded.key, recorded.content_id, recorded.stored_at)
                self._db.execute(
                    "UPDATE object SET etag = ?, stored_at = coalesce(stored_at, ?) "
                    "WHERE destination_id = ? AND key = ? AND content_id = ? AND stored_at IS ?",
                    (etag, now, destination_id, *as_recorded),
                )
                if recorded.stored_at is None:
                    self._mark_done(recorded, destination_id, now)

    def _mark_done(self, recorded: StoredObject, destination_id: int, now: float) -> None:
        self._db.execute(
            "UPDATE item SET state = 'done', error_class = NULL, error = NULL, settled_at = ? "
            "WHERE content_id = ? AND destination_id = ? AND stage = ? AND state = 'dead' "
            "AND NOT (stage = 'process' AND EXISTS (SELECT 1 FROM object "
            "WHERE object.content_id = item.content_id "
            "AND +object.destination_id = item.destination_id "
            "AND variant_digest IS NOT NULL AND stored_at IS NULL))",
            (now, recorded.content_id, destination_id, _stage_of(recorded)),
        )


def _stage_of(recorded: StoredObject) -> str:
    """The stage that answers for the object."""
    return Stage.UPLOAD.value if recorded.variant is None else Stage.PROCESS.value
