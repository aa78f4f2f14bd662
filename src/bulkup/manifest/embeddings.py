"""Embedders and their embeddings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements, execute_rows
from bulkup.manifest.queue.release import forget_unwanted
from bulkup.manifest.queue.settle import settle_done
from bulkup.manifest.rows import EmbeddedItem
from bulkup.model import Stage

_EMBEDDED_BY_OTHERS = (
    "destination_id = ? AND stage = 'embed' AND state = 'done' AND live AND NOT EXISTS ("
    "SELECT 1 FROM embedding WHERE embedder_id IS ? AND embedding.content_id = item.content_id)"
)


class EmbedderRow(NamedTuple):
    """An embedder that has embeddings here. `generation` grows when one of them is changed or
    removed, `highest` (an embedding's id) when one is added."""

    id: int
    name: str
    version: str
    dimension: int
    generation: int
    token: str  # its own in every manifest
    highest: int
    rows: int


class Embeddings(Statements):
    """Embeddings by content and embedder."""

    # Embedders ----------------------------------------------------------------------------

    def newest(self, name: str | None = None) -> EmbedderRow | None:
        """The embedder, of this name if one is given, that embedded a picture last."""
        row = self._db.execute(
            "SELECT id, name, version, dimension, generation, token, "
            "(SELECT coalesce(max(embedding.id), 0) FROM embedding "
            "WHERE embedder_id = embedder.id) AS highest, "
            "(SELECT count(*) FROM embedding WHERE embedder_id = embedder.id) FROM embedder "
            "WHERE ?1 IS NULL OR name = ?1 ORDER BY highest DESC, id DESC LIMIT 1",
            (name,),
        ).fetchone()
        return None if row is None else EmbedderRow(*row)

    def most_rows(self) -> int:
        """The number of embeddings of the embedder that has the most."""
        return int(
            self._value(
                "SELECT coalesce(max(rows), 0) FROM "
                "(SELECT count(*) AS rows FROM embedding GROUP BY embedder_id)"
            )
        )

    def newest_name(self) -> str | None:
        """The name of the embedder that wrote the last embedding: reads the end of the table."""
        found: str | None = self._value(
            "SELECT name FROM embedder WHERE id = "
            "(SELECT embedder_id FROM embedding ORDER BY id DESC LIMIT 1)"
        )
        return found

    def id_of(self, name: str, version: str) -> int | None:
        """The embedder's id; None as long as it has embedded nothing here."""
        found = self.dimension_of(name, version)
        return None if found is None else found[0]

    def dimension_of(self, name: str, version: str) -> tuple[int, int] | None:
        """The embedder's id and its dimension; None as long as it has embedded nothing here."""
        row: tuple[int, int] | None = self._db.execute(
            "SELECT id, dimension FROM embedder WHERE name = ? AND version = ?", (name, version)
        ).fetchone()
        return row

    def lacks(self, destination_id: int, embedder_id: int | None) -> bool:
        """Whether a content that is embedded there has no vector by this embedder."""
        found = self._value(
            f"SELECT 1 FROM item WHERE {_EMBEDDED_BY_OTHERS} LIMIT 1", destination_id, embedder_id
        )
        return found is not None

    def reopen(self, destination_id: int, embedder_id: int | None) -> int:
        """Make embedded items `ready` again whose content this embedder has not embedded yet;
        returns how many. The vectors of other embedders stay."""
        return self._write(
            "UPDATE item SET state = 'ready', due_at = 0, attempts_granted = attempts "
            f"WHERE {_EMBEDDED_BY_OTHERS}",
            destination_id,
            embedder_id,
        )

    # Embeddings ---------------------------------------------------------------------------

    def known(self, contents: Sequence[int], embedder_id: int | None) -> set[int]:
        """Those of the contents that the embedder has embedded already."""
        return set(
            self._column(
                "SELECT content_id FROM embedding WHERE embedder_id = ? "
                "AND content_id IN (SELECT value FROM json_each(?))",
                embedder_id,
                json.dumps(contents),
            )
        )

    def settle(
        self,
        done: Sequence[EmbeddedItem],
        *,
        name: str,
        version: str,
        dimension: int,
        run_id: str,
        now: float,
    ) -> None:
        """Record embeddings; one transaction. A new one replaces an older one by this embedder."""
        if not done:
            return
        with self._transaction():
            self._add(done, (name, version, dimension), now)
            settle_done(self._db, [(v.item, v.seconds) for v in done], Stage.EMBED, run_id, now)
            for one in done:
                forget_unwanted(self._db, one.item.item_id)

    def add(
        self,
        made: Sequence[EmbeddedItem],
        *,
        name: str,
        version: str,
        dimension: int,
        now: float,
    ) -> None:
        """Keep embeddings that were made before their stage; it finds them; one transaction."""
        with self._transaction():
            self._add(made, (name, version, dimension), now)

    def _add(
        self, made: Sequence[EmbeddedItem], embedder: tuple[str, str, int], now: float
    ) -> None:
        if embedder[2]:  # 0 when the manifest had all of the embeddings: then the row exists
            self._db.execute(
                "INSERT OR IGNORE INTO embedder (name, version, dimension) VALUES (?, ?, ?)",
                embedder,
            )
        embedder_id = self.id_of(*embedder[:2])
        execute_rows(
            self._db,
            "INSERT INTO embedding (embedder_id, content_id, vector, classes, embedded_at) "
            "VALUES {rows} ON CONFLICT (embedder_id, content_id) DO UPDATE SET "
            "vector = excluded.vector, classes = excluded.classes, "
            "embedded_at = excluded.embedded_at",
            [
                (embedder_id, v.item.content_id, v.vector, v.classes, now)
                for v in made
                if v.vector is not None
            ],
        )

    def rows(self, embedder_id: int, after: int) -> Iterator[tuple[int, int, bytes]]:
        """(embedding's id, content's id, vector), with ids above `after`, by id."""
        yield from self._db.execute(
            "SELECT id, content_id, vector FROM embedding "
            "WHERE embedder_id = ? AND id > ? ORDER BY id",
            (embedder_id, after),
        )

    def class_rows(self, embedder_id: int, after: int) -> Iterator[tuple[int, int, bytes]]:
        """The same with the classes that were recognised; b'' where the embedder has none."""
        yield from self._db.execute(
            "SELECT id, content_id, coalesce(classes, x'') FROM embedding "
            "WHERE embedder_id = ? AND id > ? ORDER BY id",
            (embedder_id, after),
        )

    def vector_and_class_rows(
        self, embedder_id: int, after: int
    ) -> Iterator[tuple[int, int, bytes]]:
        """The same with the vector, and the classes after it."""
        yield from self._db.execute(
            "SELECT id, content_id, cast(vector || coalesce(classes, x'') AS BLOB) FROM embedding "
            "WHERE embedder_id = ? AND id > ? ORDER BY id",
            (embedder_id, after),
        )
