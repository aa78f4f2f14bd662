"""What `export` writes, a row at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bulkup.manifest.database.sql import Statements
from bulkup.manifest.reports.status import absolute, matcher
from bulkup.manifest.rows import from_sql


class ExportRow(NamedTuple):
    """An asset as the `files` view shows it; bytes of names that are no UTF-8 surrogate-escaped.

    `path` is relative to `root`. Times are ISO 8601, UTC, to the second. `digest` and `media_type`
    are None until the file was read, `key` until its bytes are at `destination`, a stage's state
    where it has no item, `missing_since` while the file is there.

    The columns from `width_px` on are the picture's metadata, as in the view `pictures`: None where
    the picture has none, and all None until the content is processed. `taken_at` is by the camera's
    clock, ISO 8601, with an offset where one is known; `keywords` is a JSON array. `vector` is the
    content's embedding by the newest embedder, float16 little-endian, and `embedder` is its name
    and version; both are None without one, and where vectors are not exported.
    """

    root: str
    path: str
    size_bytes: int
    modified_at: str
    digest: str | None
    media_type: str | None
    destination: str | None
    key: str | None
    upload: str | None
    process: str | None
    embed: str | None
    missing_since: str | None
    width_px: int | None = None
    height_px: int | None = None
    format: str | None = None
    orientation: int | None = None
    taken_at: str | None = None
    camera: str | None = None
    lens: str | None = None
    f_number: float | None = None
    exposure_seconds: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude_metres: float | None = None
    perceptual_hash: str | None = None
    rating: int | None = None
    title: str | None = None
    description: str | None = None
    keywords: str | None = None
    embedder: str | None = None
    vector: bytes | None = None


OF_VECTORS = ExportRow._fields[-2:]
"""The columns that only an export with vectors has."""

_OF_FILES = ExportRow._fields[: ExportRow._fields.index("width_px")]
_OF_PICTURES = ExportRow._fields[len(_OF_FILES) : -len(OF_VECTORS)]

_OF_SIDECARS = frozenset(
    {
        *("taken_at", "latitude", "longitude", "altitude_metres"),
        *("rating", "title", "description", "keywords"),
    }
)

_VECTOR = (
    "SELECT vector FROM content JOIN embedding ON embedding.content_id = content.id "
    "WHERE content.digest = ? AND embedder_id = ?"
)


class NewestEmbedder(NamedTuple):
    """The embedder whose vectors are exported. Only those of one embedder are of one dimension."""

    id: int
    label: str
    dimension: int


class Exports(Statements):
    """All assets, streamed."""

    def embedder(self) -> NewestEmbedder | None:
        """The embedder that embedded last; None while none has."""
        row = self._db.execute(
            "SELECT id, name || ' ' || version, dimension FROM embedder WHERE id = "
            "(SELECT embedder_id FROM embedding ORDER BY id DESC LIMIT 1)"
        ).fetchone()
        return None if row is None else NewestEmbedder(*row)

    def files(
        self, pattern: str | None, embedder: NewestEmbedder | None = None
    ) -> Iterator[ExportRow]:
        """Assets by root and path, as they are at the first row; with `embedder`, its embeddings.
        `pattern` is as in StatusReport.files.

        Memory does not grow with their number: SQLite sorts in a temporary file.
        """
        matches = matcher(pattern)
        for root, path, *rest in self._db.execute(self._query()):
            if not matches(absolute(root, path)):
                continue
            row = ExportRow(from_sql(root), from_sql(path), *rest)
            yield row if embedder is None else self._with_vector(row, embedder)

    def _query(self) -> str:
        columns = ", ".join(f"files.{column}" for column in _OF_FILES)
        # The view has no id; SQLite before 3.41 has no unhex.
        self._db.create_function("from_hex", 1, _from_hex, deterministic=True)
        columns += "".join(
            f", coalesce(sidecar.{column}, picture.{column})"
            if column in _OF_SIDECARS
            else f", picture.{column}"
            for column in _OF_PICTURES
        )
        return (
            f"SELECT {columns} FROM files "
            "LEFT JOIN content AS owner ON owner.digest = from_hex(files.digest) "
            "LEFT JOIN picture ON picture.content_id = owner.id "
            "LEFT JOIN sidecar ON sidecar.asset_id = files.asset_id "
            "ORDER BY files.root, files.path"
        )

    def _with_vector(self, row: ExportRow, embedder: NewestEmbedder) -> ExportRow:
        """The row with its vector, which a query of its own reads: SQLite then does not sort
        vectors. While the rows are read, this connection sees the manifest as at the first row."""
        if row.digest is None:
            return row
        found = self._db.execute(_VECTOR, (_from_hex(row.digest), embedder.id)).fetchone()
        if found is None:
            return row
        return row._replace(embedder=embedder.label, vector=found[0])


def _from_hex(digits: str | None) -> bytes | None:
    return None if digits is None else bytes.fromhex(digits)
