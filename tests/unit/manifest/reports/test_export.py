"""What export finds in a manifest of any schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.export import Exports
from bulkup.manifest.schema import FIRST
from tests.unit.manifest.recording import Pusher, digest_of


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "m.db")


@pytest.fixture
def manifest(path: str) -> Iterator[Manifest]:
    """Three files with two contents."""
    with Manifest(path) as made:
        pusher = Pusher.begin(made, "run")
        pusher.push("a.jpg", "b.jpg")
        pusher.push("same as a.jpg", content="a.jpg")
        yield made


def content(db: sqlite3.Connection, text: str) -> int:
    (row,) = db.execute(
        "SELECT id FROM content WHERE digest = ?", (bytes.fromhex(digest_of(text)),)
    ).fetchall()
    return int(row[0])


def embed(db: sqlite3.Connection, name: str, text: str, vector: bytes) -> None:
    db.execute(
        "INSERT OR IGNORE INTO embedder (name, version, dimension) VALUES (?, 1, 2)", (name,)
    )
    db.execute(
        "INSERT INTO embedding (embedder_id, content_id, vector, embedded_at) "
        "VALUES ((SELECT id FROM embedder WHERE name = ?), ?, ?, 0)",
        (name, content(db, text), vector),
    )


def test_every_file_of_a_content_has_its_picture(manifest: Manifest) -> None:
    db = manifest._db
    db.execute(
        "INSERT INTO picture (content_id, width_px, height_px, format, orientation, is_truncated, "
        "latitude, keywords) VALUES (?, 40, 30, 'JPEG', 1, 0, 47.5, '[\"x\"]')",
        (content(db, "a.jpg"),),
    )
    rows = {row.path: row for row in Exports(db, "m").files(None)}
    for name in ("a.jpg", "same as a.jpg"):
        assert (rows[name].width_px, rows[name].latitude, rows[name].keywords) == (
            40,
            47.5,
            '["x"]',
        )
    assert rows["b.jpg"].width_px is None
    assert {row.vector for row in rows.values()} == {None}


def test_vectors_are_those_of_the_embedder_that_embedded_last(manifest: Manifest) -> None:
    db = manifest._db
    exports = Exports(db, "m")
    assert exports.embedder() is None
    embed(db, "new", "a.jpg", b"old")
    embed(db, "old", "b.jpg", b"1234")
    embed(db, "new", "b.jpg", b"5678")
    embedder = exports.embedder()
    assert embedder is not None
    assert (embedder.label, embedder.dimension) == ("new 1", 2)
    found = {row.path: (row.embedder, row.vector) for row in exports.files(None, embedder)}
    assert found == {
        "a.jpg": ("new 1", b"old"),
        "same as a.jpg": ("new 1", b"old"),
        "b.jpg": ("new 1", b"5678"),
    }
    assert [row.path for row in exports.files("b.*", embedder)] == ["b.jpg"]


def test_a_reader_of_the_first_schema_has_files_and_no_pictures(path: str) -> None:
    """It never migrates."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            f"PRAGMA application_id = {0x62756C6B}; {FIRST} PRAGMA user_version = 1;"
            "INSERT INTO root (id, path) VALUES (1, '/r');"
            "INSERT INTO folder VALUES (1, 1, '');"
            "INSERT INTO content (id, digest, size_bytes) VALUES (1, x'ab', 3);"
            "INSERT INTO asset VALUES (1, 1, 'a.jpg', 3, 0, 1, 1, 1, NULL);"
        )
    with Reader(path) as reader:
        assert reader.exports.embedder() is None
        (row,) = reader.exports.files(None)
    assert (row.path, row.digest, row.width_px, row.vector) == ("a.jpg", "ab", None, None)
