"""Manifests of earlier schemas, brought up to date."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from bulkup.manifest import connection as opening
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.schema import MIGRATIONS
from bulkup.model import Stage
from tests.unit.manifest.recording import NOW, Pusher, file, folder, recount_differs, rows

FILES = [f"{n}.jpg" for n in range(20)]


def of_version_1(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest as the first release left it: uploads of all states."""
    with monkeypatch.context() as patch:
        patch.setattr(opening, "MIGRATIONS", MIGRATIONS[:1])
        db = opening.connect(str(path))
    run = ("INSERT INTO run VALUES ('r', 'push', 'h', 1, 't', 1, 1, 2, 0, '{}')",)
    db.execute(*run)
    db.execute("INSERT INTO destination (url) VALUES ('/to')")
    db.execute("INSERT INTO root VALUES (1, '/root', 1, 1)")
    db.execute("INSERT INTO folder VALUES (1, 1, '')")
    for n, name in enumerate(FILES, start=1):
        state = "dead" if n == len(FILES) else "done"
        db.execute("INSERT INTO content VALUES (?, ?, 3, 'image/jpeg', 1)", (n, n.to_bytes(32)))
        db.execute("INSERT INTO asset VALUES (?, 1, ?, 3, 1, 1, 1, ?, NULL)", (n, name, n))
        db.execute(
            "INSERT INTO item (content_id, destination_id, stage, state, size_bytes, batch_id) "
            "VALUES (?, 1, 'upload', ?, 3, 1)",
            (n, state),
        )
        if state == "done":
            db.execute(
                "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, stored_at) "
                "VALUES (1, ?, ?, 'original', 3, 1)",
                (name, n),
            )
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()


def test_a_manifest_of_the_first_schema_is_migrated_after_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.db"
    of_version_1(path, monkeypatch)
    with Manifest(str(path)) as manifest:
        assert rows(manifest, "PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert manifest.reports.status().unique == len(FILES)
        assert rows(manifest, "SELECT count(*) FROM files WHERE upload = 'done'") == [(19,)]
        assert rows(manifest, "SELECT count(*) FROM pictures") == [(0,)]
        assert manifest.stage_queue.open_destinations(Stage.PROCESS) == [1]
        assert manifest.stage_queue.enqueue_next_stage(1, Stage.PROCESS, now=NOW) == len(FILES) - 1
        assert not recount_differs(manifest)
        pusher = Pusher.begin(manifest, "after")
        pusher.record(folder(new=[file("new.jpg")]))
    backup = tmp_path / "manifest.db.schema-1.bak"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    db = sqlite3.connect(backup)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM item").fetchone() == (len(FILES),)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def _open_and_follow(path: str, barrier: Barrier, made: multiprocessing.Queue[int]) -> None:
    barrier.wait(60)
    with Manifest(path) as manifest:
        made.put(manifest.stage_queue.enqueue_next_stage(1, Stage.PROCESS, now=NOW))


def test_four_processes_that_open_it_at_once_migrate_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.db"
    of_version_1(path, monkeypatch)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    made: multiprocessing.Queue[int] = context.Queue()
    processes = [
        context.Process(target=_open_and_follow, args=(str(path), barrier, made)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sum(made.get(timeout=5) for _ in processes) == len(FILES) - 1
    db = sqlite3.connect(tmp_path / "manifest.db.schema-1.bak")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()
    with Manifest(str(path)) as manifest:
        assert not recount_differs(manifest)
