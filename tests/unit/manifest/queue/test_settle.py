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


def test_an_upload_of_a_file_that_grew_since_its_scan_is_counted_with_its_new_size(
    manifest: Manifest,
) -> None:
    pusher = Pusher.begin(manifest, "a")
    grown, kept = pusher.record(folder(new=[file("x.jpg", size_bytes=3), file("y.jpg")]))
    sql(manifest, "UPDATE item SET size_bytes = 5 WHERE id = ?", grown.item_id)
    pusher.done((grown, "x.jpg"), (kept, "y.jpg"))
    uploaded = "SELECT items, bytes FROM tally WHERE state = 'done'"
    assert sql(manifest, uploaded) == [(2, 8)]
    assert sql(manifest, "SELECT count(*) FROM attempt") == [(2,)]
    assert not recount_differs(manifest)


def test_an_upload_of_which_no_file_is_left_is_not_counted(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    work, other = pusher.record(folder(new=[file("x.jpg"), file("y.jpg")]))
    pusher.register((work, "x"))
    (gone,) = (known for known in pusher.known().values() if known.asset_id == work.asset_id)
    manifest.scans.record(
        pusher.scope,
        lambda: [folder(changed=[(gone, file("x.jpg", stamp=2))])],
        now=NOW,
        hand_over=0,
    )
    pusher.done((work, "x.jpg"), (other, "y.jpg"))
    assert sql(manifest, "SELECT sum(live) FROM item WHERE state = 'done'") == [(1,)]
    assert not recount_differs(manifest)


def test_a_statement_of_another_program_is_counted(manifest: Manifest) -> None:
    pusher = Pusher.begin(manifest, "a")
    done, _ = pusher.record(folder(new=[file("x.jpg"), file("y.jpg")]))
    pusher.done((done, "x.jpg"))
    for statement in (
        "UPDATE item SET state = 'ready'",
        "INSERT INTO content (id, size_bytes) VALUES (77, 9)",
        "INSERT INTO item (content_id, destination_id, stage, state, size_bytes) "
        "VALUES (77, 1, 'upload', 'dead', 9)",
        "INSERT INTO asset (folder_id, name, size_bytes, modified_ns, inode, changed_ns, "
        "content_id) VALUES (1, 'z.jpg', 9, 0, 0, 0, 77)",
        "UPDATE item SET size_bytes = 8 WHERE content_id = 77",
        "DELETE FROM item WHERE state = 'ready' AND id = 1",
    ):
        sql(manifest, statement)
        assert not recount_differs(manifest), statement


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
