"""What is of no use any more: reserved keys, variants without an owner, old vectors, destinations
that were never reached."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.destinations import IS_REACHED, LEADS_TO
from bulkup.manifest.queue.release import UNANNOUNCED, release_content
from bulkup.manifest.rows import to_sql
from bulkup.manifest.uploads.rows import ROOT
from bulkup.model import Digest

_STALE = (
    "FROM object WHERE destination_id = ? AND kind = 'original' AND stored_at IS NULL "
    "AND NOT EXISTS (SELECT 1 FROM item WHERE item.content_id = object.content_id "
    "AND item.destination_id = object.destination_id AND stage = 'upload' "
    "AND state IN ('ready', 'waiting', 'claimed', 'dead')) "
    f"AND {UNANNOUNCED}"
)
"""A dead item keeps its key: `retry` may bring it back."""

_VARIANT = (
    "SELECT (SELECT state FROM item WHERE content_id = content.id "
    "AND destination_id = :destination AND stage = 'process'), "
    "(SELECT kind FROM object WHERE destination_id = :destination AND key = :key "
    "AND variant_digest IS NOT NULL), "
    "(SELECT stored_at IS NOT NULL FROM object WHERE destination_id = :destination "
    "AND key = :key AND variant_digest IS NOT NULL) "
    "FROM content WHERE digest = :digest AND (EXISTS (SELECT 1 FROM item "
    "WHERE content_id = content.id AND destination_id = :destination) OR EXISTS (SELECT 1 "
    "FROM object WHERE content_id = content.id AND +destination_id = :destination))"
)

_OLD_VECTORS = (
    "FROM embedding WHERE embedder_id <> ({newest}) AND EXISTS (SELECT 1 FROM embedding AS newer "
    "WHERE newer.embedder_id = ({newest}) AND newer.content_id = embedding.content_id)"
).format(newest="SELECT embedder_id FROM embedding ORDER BY id DESC LIMIT 1")

DAY_SECONDS = 86_400.0
RemovalReason = Literal["unowned", "unrecorded", "retired"]
"""Why a variant may go: the destination has no content of its digest; the manifest has no row of it
and its picture is settled; the settings have no variant of its name any more."""


_WITHOUT_WORK = (
    # Each batch's last run found no file (exit code 0), or ended with a usage error (2).
    "EXISTS (SELECT 1 FROM batch WHERE destination_id = destination.id) AND NOT EXISTS ("
    "SELECT 1 FROM batch LEFT JOIN batch_run AS last "
    "ON last.batch_id = batch.id AND last.run_id = batch.run_id "
    "WHERE batch.destination_id = destination.id AND NOT (last.exit_code IS 2 "
    "OR (last.exit_code IS 0 AND NOT EXISTS (SELECT 1 FROM tally "
    "WHERE destination_id = destination.id AND items > 0))))"
)

_HAS_UPLOADS = (
    # Clients of `bulkup serve` send there, or tried to: their roots lead nowhere.
    "(EXISTS (SELECT 1 FROM reservation WHERE destination_id = destination.id) "
    "OR EXISTS (SELECT 1 FROM item JOIN asset ON asset.content_id = item.content_id "
    "JOIN folder ON folder.id = folder_id JOIN root ON root.id = root_id "
    f"WHERE item.destination_id = destination.id AND root.path LIKE '{ROOT}%'))"
)

_FAILED = (
    # Its last run did not end with the destination's trouble, but with that of files.
    "SELECT 1 FROM batch JOIN batch_run AS last "
    "ON last.batch_id = batch.id AND last.run_id = batch.run_id "
    "JOIN tally ON tally.destination_id = batch.destination_id AND stage = 'upload' "
    "WHERE batch.destination_id = destination.id AND last.exit_code = 3 "
    "AND tally.state IN ('waiting', 'dead') AND items > 0"
)

_USELESS = (
    # Never reached, no root goes there that has nowhere else to go, and no file failed there.
    f"SELECT id FROM destination WHERE NOT {IS_REACHED} AND NOT {_HAS_UPLOADS} AND NOT EXISTS ("
    "SELECT 1 FROM run WHERE ended_at IS NULL AND id <> ? AND (id IN (SELECT batch_run.run_id "
    "FROM batch_run JOIN batch ON batch.id = batch_id "
    "WHERE batch.destination_id = destination.id) "
    "OR NOT EXISTS (SELECT 1 FROM batch WHERE destination_id = destination.id))) "
    f"AND (({_WITHOUT_WORK}) OR NOT EXISTS ({_FAILED}) AND NOT EXISTS (SELECT 1 FROM root "
    f"WHERE root.destination_id = destination.id AND {LEADS_TO} = destination.id "
    "AND NOT EXISTS (SELECT 1 FROM root AS outer_root JOIN destination "
    f"ON destination.id = outer_root.destination_id WHERE {IS_REACHED} "
    "AND substr(root.path, 1, length(outer_root.path) + 1) = outer_root.path || '/')))"
)

_LEAD_BACK = (
    "UPDATE root SET walked_at = NULL, destination_id = coalesce(reached_id, "
    "(SELECT destination.id FROM batch_root JOIN batch ON batch.id = batch_id "
    "JOIN destination ON destination.id = batch.destination_id "
    f"WHERE root_id = root.id AND {IS_REACHED} ORDER BY batch.id DESC LIMIT 1)) "
    "WHERE id = ? RETURNING destination_id"
)

_LEAD_BATCH_BACK = (
    "UPDATE root SET walked_at = NULL, destination_id = reached_id "
    "FROM batch AS this WHERE this.id = ? AND this.destination_id = root.destination_id "
    "AND reached_id IS NOT NULL "
    "AND root.id IN (SELECT root_id FROM batch_root WHERE batch_id = this.id) "
    "AND NOT EXISTS (SELECT 1 FROM folder JOIN asset ON folder_id = folder.id "
    "JOIN object ON object.content_id = asset.content_id WHERE folder.root_id = root.id "
    "AND object.destination_id = this.destination_id AND stored_at IS NOT NULL)"
)


class GarbageCollection(Statements):
    """Finds what is of no use any more, and removes it."""

    def reservations(self, destination_id: int) -> list[str]:
        """Keys reserved for contents that are no longer to be sent, in order."""
        return self._column(f"SELECT key {_STALE} ORDER BY key", destination_id)

    def free_reservations(self, destination_id: int) -> int:
        """Free those keys; returns how many there were."""
        return self._write(f"DELETE {_STALE}", destination_id)

    def unknown_keys(self, destination_id: int, keys: Sequence[str]) -> list[str]:
        """Those of the keys that have no row at the destination, in their order."""
        known = set(
            self._column(
                "SELECT key FROM object WHERE destination_id = ? "
                "AND key IN (SELECT value FROM json_each(?))",
                destination_id,
                json.dumps(keys),
            )
        )
        return [key for key in keys if key not in known]

    # Variants -------------------------------------------------------------------------------

    def retired_names(self, destination_id: int, names: Iterable[str]) -> set[str]:
        """Names of variants there that are not among `names`, the settings', and that were last
        made a day before the newest variant: another directory may have other settings."""
        made: dict[str, float] = dict(
            self._db.execute(
                "SELECT kind, max(stored_at) FROM object WHERE destination_id = ? "
                "AND variant_digest IS NOT NULL AND stored_at IS NOT NULL GROUP BY kind",
                (destination_id,),
            ).fetchall()
        )
        newest = max(made.values(), default=0.0)
        return {name for name in made.keys() - set(names) if made[name] < newest - DAY_SECONDS}

    def removal_reason(
        self, destination_id: int, key: str, owner: Digest, retired: Iterable[str]
    ) -> RemovalReason | None:
        """Why the variant of the content `owner` under `key` may go; None when it may not.

        It stays while its picture waits to be processed, or was not processed yet by this
        manifest: processing adopts it.
        """
        row = self._db.execute(
            _VARIANT,
            {"destination": destination_id, "key": key, "digest": bytes.fromhex(owner)},
        ).fetchone()
        if row is None:
            return "unowned"
        state, kind, is_stored = row
        if state in (None, "ready", "waiting", "claimed"):
            return None
        if kind is None or (not is_stored and state != "dead"):
            return "unrecorded"
        return "retired" if kind in retired else None

    def drop_variants(self, destination_id: int, keys: Sequence[str]) -> None:
        """Forget the rows of these variants, where there are any."""
        with self._transaction():
            self._db.executemany(
                "DELETE FROM object WHERE destination_id = ? AND key = ? "
                "AND variant_digest IS NOT NULL",
                ((destination_id, key) for key in keys),
            )

    # Vectors --------------------------------------------------------------------------------

    def old_vectors(self) -> int:
        """How many embeddings there are of contents that the newest embedder, the one that
        embedded last, has embedded as well."""
        return int(self._value(f"SELECT count(*) {_OLD_VECTORS}"))

    def forget_old_vectors(self, *, at_once: int = 5000) -> int:
        """Remove those; returns how many there were. A transaction of 5,000 takes some 20 ms, so
        that no run has to wait."""
        removed = 0
        while True:
            now = self._write(
                f"DELETE FROM embedding WHERE id IN (SELECT id {_OLD_VECTORS} LIMIT ?)", at_once
            )
            removed += now
            if now < at_once:
                return removed

    # Destinations ---------------------------------------------------------------------------

    def forget_useless(self, run_id: str) -> set[int]:
        """Forget the destinations that were never reached and that no root needs, as
        `forget_destination` does; returns their ids. Those of other runs at work stay.

        A root needs one while no other destination was reached for it or for a folder above it.
        """
        with self._transaction():
            found = set(self._column(_USELESS, run_id))
            for destination_id in found:
                self._forget_destination(destination_id)
        return found

    def lead_back(self, batch_id: int) -> None:
        """The batch's roots, unless something of them is at its destination, go where they went
        before."""
        self._write(_LEAD_BATCH_BACK, batch_id)

    def forget_destination(self, destination_id: int) -> None:
        """Remove the destination with its batches and items, and those of its roots that were never
        pushed anywhere else."""
        with self._transaction():
            self._forget_destination(destination_id)

    def _forget_destination(self, destination_id: int) -> None:
        roots = self._column("SELECT id FROM root WHERE destination_id = ?", destination_id)
        self._db.execute("DELETE FROM destination WHERE id = ?", (destination_id,))
        for root_id in roots:
            if self._value(_LEAD_BACK, root_id) is None:
                self._forget_root(root_id)

    def forget_root(self, path: str) -> None:
        """Remove the root with its files; objects of contents that have no file left stay known."""
        with self._transaction():
            for root_id in self._column("SELECT id FROM root WHERE path = ?", to_sql(path)):
                self._forget_root(root_id)

    def _forget_root(self, root_id: int) -> None:
        contents = self._column(
            "SELECT content_id FROM asset JOIN folder ON folder.id = folder_id WHERE root_id = ?",
            root_id,
        )
        self._db.execute("DELETE FROM root WHERE id = ?", (root_id,))
        for content_id in contents:
            release_content(self._db, content_id)
