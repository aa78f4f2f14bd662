"""What is of no use any more: vectors that a newer embedder replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkup.manifest.database.connection import ManifestConnection, connect
from bulkup.manifest.garbage import GarbageCollection


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ManifestConnection]:
    """A manifest with three contents and two embedders."""
    with closing(connect(str(tmp_path / "m.db"))) as connection:
        connection.executescript(
            "INSERT INTO content (id, size_bytes) VALUES (1, 1), (2, 1), (3, 1);"
            "INSERT INTO embedder (id, name, version, dimension) "
            "VALUES (1, 'b', '1', 2), (2, 'a', '1', 2);"
        )
        yield connection


def embed(db: ManifestConnection, embedder: int, *contents: int) -> None:
    db.executemany(
        "INSERT INTO embedding (embedder_id, content_id, vector, embedded_at) "
        "VALUES (?, ?, x'00000000', 0)",
        ((embedder, content) for content in contents),
    )


def left(db: ManifestConnection) -> list[tuple[int, int]]:
    return db.execute(
        "SELECT embedder_id, content_id FROM embedding ORDER BY embedder_id, content_id"
    ).fetchall()


def test_vectors_are_old_once_the_newest_embedder_has_its_own(db: ManifestConnection) -> None:
    """What only the older one has embedded yet stays: nothing else finds that picture."""
    embed(db, 2, 1, 2, 3)
    assert GarbageCollection(db).old_vectors() == 0
    embed(db, 1, 1, 3)
    assert GarbageCollection(db).old_vectors() == 2
    assert GarbageCollection(db).forget_old_vectors() == 2
    assert left(db) == [(1, 1), (1, 3), (2, 2)]
    assert GarbageCollection(db).forget_old_vectors() == 0


def test_the_newest_is_the_one_that_embedded_last(db: ManifestConnection) -> None:
    embed(db, 2, 1)
    embed(db, 1, 1, 2)
    embed(db, 2, 2)
    GarbageCollection(db).forget_old_vectors()
    assert left(db) == [(2, 1), (2, 2)]


def test_they_go_a_few_at_a_time(db: ManifestConnection) -> None:
    embed(db, 2, 1, 2, 3)
    embed(db, 1, 1, 2, 3)
    assert GarbageCollection(db).forget_old_vectors(at_once=1) == 3


def test_without_vectors_there_is_nothing(db: ManifestConnection) -> None:
    assert GarbageCollection(db).old_vectors() == 0
    assert GarbageCollection(db).forget_old_vectors() == 0
