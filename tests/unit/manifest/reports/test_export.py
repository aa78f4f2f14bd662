"""What export finds in a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from tests.sql import sql
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


def content(manifest: Manifest, text: str) -> int:
    ((found,),) = sql(
        manifest, "SELECT id FROM content WHERE digest = ?", bytes.fromhex(digest_of(text))
    )
    return int(found)


def embed(manifest: Manifest, name: str, text: str, vector: bytes) -> None:
    sql(
        manifest,
        "INSERT OR IGNORE INTO embedder (name, version, dimension) VALUES (?, 1, 2)",
        name,
    )
    sql(
        manifest,
        "INSERT INTO embedding (embedder_id, content_id, vector, embedded_at) "
        "VALUES ((SELECT id FROM embedder WHERE name = ?), ?, ?, 0)",
        name,
        content(manifest, text),
        vector,
    )


@pytest.fixture
def reader(manifest: Manifest) -> Iterator[Reader]:
    with Reader(manifest.path) as opened:
        yield opened


def test_every_file_of_a_content_has_its_picture(manifest: Manifest, reader: Reader) -> None:
    sql(
        manifest,
        "INSERT INTO picture (content_id, width_px, height_px, format, orientation, is_truncated, "
        "latitude, keywords) VALUES (?, 40, 30, 'JPEG', 1, 0, 47.5, '[\"x\"]')",
        content(manifest, "a.jpg"),
    )
    rows = {row.path: row for row in reader.exports.files(None)}
    for name in ("a.jpg", "same as a.jpg"):
        assert (rows[name].width_px, rows[name].latitude, rows[name].keywords) == (
            40,
            47.5,
            '["x"]',
        )
    assert rows["b.jpg"].width_px is None
    assert {row.vector for row in rows.values()} == {None}


def test_vectors_are_those_of_the_embedder_that_embedded_last(
    manifest: Manifest, reader: Reader
) -> None:
    exports = reader.exports
    assert exports.embedder() is None
    embed(manifest, "new", "a.jpg", b"old")
    embed(manifest, "old", "b.jpg", b"1234")
    embed(manifest, "new", "b.jpg", b"5678")
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
