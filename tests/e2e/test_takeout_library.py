"""A Takeout of 2,000 pictures in four parts, with all that is odd in real ones."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.make_takeout import HOME, Takeout, make_takeout, write_parts

from tests.e2e.conftest import Bulkup

pytestmark = pytest.mark.usefixtures("uploads_only")

ORDERS = [(0, 1, 2, 3), (3, 1, 0, 2)]


def found(bulkup: Bulkup) -> tuple[dict[str, str], dict[str, set[str]]]:
    """The JSON of each picture, and the pictures of each album, by their paths in the export."""
    inner = "substr(path, instr(path, '#') + 1)"
    with (
        closing(sqlite3.connect(f"file:{bulkup.home / 'manifest.db'}?mode=ro", uri=True)) as db,
        db,
    ):
        notes = db.execute(
            f"SELECT {inner}, 'Takeout/' || takeout.folder || json "
            "FROM takeout JOIN files USING (asset_id)"
        ).fetchall()
        albums = defaultdict(set)
        for album, path in db.execute(f"SELECT album, {inner} FROM albums"):
            albums[album].add(path)
    assert len(dict(notes)) == len(notes)  # nobody has two
    return dict(notes), albums


def without(bulkup: Bulkup) -> set[str]:
    """The pictures for which no JSON was found."""
    with (
        closing(sqlite3.connect(f"file:{bulkup.home / 'manifest.db'}?mode=ro", uri=True)) as db,
        db,
    ):
        query = "SELECT path FROM takeout JOIN files USING (asset_id) WHERE json IS NULL"
        return {path.partition("#")[2] for (path,) in db.execute(query)}


@pytest.fixture(scope="module")
def takeout() -> Takeout:
    return make_takeout()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_pictures_find_their_json_and_albums_in_any_order_of_the_parts(
    bulkup: Bulkup, tmp_path: Path, takeout: Takeout, order: tuple[int, ...]
) -> None:
    parts = write_parts(takeout, tmp_path / "waiting")
    (tmp_path / "parts").mkdir()
    for number in order:
        parts[number].rename(tmp_path / "parts" / parts[number].name)
        bulkup("push", "parts", "--to", "store")
    notes, albums = found(bulkup)
    wanted = {path: note for path, note in takeout.notes.items() if note is not None}
    wrong = {path: note for path, note in notes.items() if wanted.get(path) != note}
    missed = {path: note for path, note in wanted.items() if path not in notes}
    assert wrong == {}
    assert len(missed) <= len(wanted) / 100, missed
    none = {path for path, note in takeout.notes.items() if note is None}
    assert without(bulkup) ^ (none | set(missed)) == set()
    assert albums == {title: set(paths) for title, paths in takeout.albums.items()}
    stored = {path.relative_to(tmp_path / "store") for path in (tmp_path / "store").rglob("*")}
    assert not [path for path in stored if path.suffix == ".json"]
    assert HOME in str(next(iter(notes)))
