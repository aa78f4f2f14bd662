"""The end of attempts, also of those whose claim was lost."""

from __future__ import annotations

import sqlite3

import pytest

from bulkup.manifest.database.connection import connect
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.rows import WorkItem
from bulkup.model import Part
from tests.sql import sql
from tests.unit.manifest.recording import NOW, Pusher, digest_of, file, folder, recount_differs

PART = Part(1, 5, '"e"', digest_of("part"))


def lost(manifest: Manifest) -> tuple[Pusher, WorkItem]:
    """A run that claims an item, is taken for dead, and whose item is then deleted."""
    pusher = Pusher.begin(manifest, "slow")
    (work,) = pusher.record(folder(new=[file("x.jpg")]))
    manifest.runs.reap_dead_runs(lambda run: True, now=NOW)
    other = Pusher.begin(manifest, "other")
    other.record(folder(gone=list(other.known().values())))
    assert sql(manifest, "SELECT count(*) FROM item") == [(0,)]
    return pusher, work


def test_an_attempt_at_a_deleted_item_is_not_recorded(manifest: Manifest) -> None:
    pusher, work = lost(manifest)
    (kept,) = pusher.record(folder(new=[file("y.jpg")]))
    pusher.done((work, "x.jpg"), (kept, "y.jpg"))
    assert sql(manifest, "SELECT item_id FROM attempt") == [(kept.item_id,)]
    assert not recount_differs(manifest)


def test_attempts_end_with_their_item(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    (work,) = pusher.record(folder(new=[file("x.jpg")]))
    pusher.failed(work, due_at=NOW + 1)
    pusher.record(folder(gone=list(pusher.known().values())))
    assert sql(manifest, "SELECT count(*) FROM attempt") == [(0,)]


def test_a_part_of_a_dropped_upload_is_not_recorded(manifest: Manifest) -> None:
    Pusher.begin(manifest, "a")
    uploads = manifest.multipart_uploads
    begun = {"destination_id": 1, "key": "k", "upload_id": "u", "part_bytes": 5, "now": NOW}
    uploads.begin_upload(7, **begun)  # type: ignore[arg-type]
    uploads.record_part(7, PART)
    found = uploads.open_upload(7)
    assert found is not None
    assert found.parts == (PART,)
    uploads.begin_upload(7, **begun)  # type: ignore[arg-type]
    again = uploads.open_upload(7)
    assert again is not None
    assert again.parts == ()
    uploads.drop_upload(7)
    uploads.record_part(7, PART)
    assert sql(manifest, "SELECT count(*) FROM part") == [(0,)]


def test_references_stages_and_states_are_enforced(manifest: Manifest) -> None:
    Pusher.begin(manifest, "a").push("x.jpg")
    with connect(manifest.path) as db:
        for statement in (
            "DELETE FROM content",
            "INSERT INTO folder (root_id, path) VALUES (99, '')",
            "INSERT INTO attempt VALUES (NULL, 99, 1, 'a', 0, 0, 'done', NULL, NULL, NULL)",
            "UPDATE item SET state = 'finished'",
            "UPDATE item SET stage = 'print'",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(statement)
    db.close()


def test_a_copy_forgets_a_deleted_asset(manifest: Manifest) -> None:
    """The ids of assets are used again: a copy must not pass to another file."""
    pusher = Pusher.begin(manifest, "a")
    works = pusher.record(folder(new=[file("0.jpg"), file("1.jpg")]))
    pusher.register(*((work, "same") for work in works), copy=True)
    with connect(manifest.path) as db:
        db.execute("DELETE FROM asset WHERE name = '1.jpg'")
    db.close()
    assert sql(manifest, "SELECT asset_id FROM object WHERE kind = 'copy'") == [(None,)]
