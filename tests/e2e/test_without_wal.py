"""A manifest where there is no WAL, as on many network drives: programs wait for each other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Bulkup
from tests.e2e.trees import many, objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")

WITHOUT_WAL = """
import bulkup.manifest.database.connection as connection

connection.use_wal = lambda _: False
"""


@pytest.fixture
def without_wal(tmp_path: Path) -> dict[str, str]:
    """The environment in which Python starts with a bulkup that gets no WAL."""
    folder = tmp_path / "start"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT_WAL)
    return {"PYTHONPATH": str(folder)}


def test_two_pushes_and_a_reader_share_it(
    bulkup: Bulkup, tmp_path: Path, without_wal: dict[str, str]
) -> None:
    for name in ("one", "other"):
        many(tmp_path / name, 400)
        (tmp_path / name / f"{name}.jpg").write_bytes(picture(name))
    pushes = [
        bulkup.start("push", name, "--to", "store", env=without_wal) for name in ("one", "other")
    ]
    shown = []
    while any(process.poll() is None for process in pushes):
        shown.append(bulkup("status", env=without_wal))
    for process in pushes:
        ended = bulkup.finish(process, check=0)
        assert "Traceback" not in ended.stderr
    assert shown
    with closing(sqlite3.connect(bulkup.home / "manifest.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert db.execute("SELECT DISTINCT state FROM item").fetchall() == [("done",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    kept = sorted(objects_in(tmp_path / "store").values())
    assert len(kept) == len(set(kept)) == 402
    again = bulkup("push", "one", env=without_wal)
    assert "0 uploaded" in again.stdout or "nothing" in again.stdout.lower()
