"""Embedders and embeddings: written down, counted, done again by another model."""

from __future__ import annotations

import pytest

from bulkup.errors import ErrorClass
from bulkup.manifest.embeddings import EmbedderRow
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.queue.stages import StageScope
from bulkup.manifest.rows import EmbeddedItem, FailedItem, ProcessedItem, WorkItem
from bulkup.model import Stage
from tests.sql import sql
from tests.unit.manifest.queue.test_stages import claim, followed
from tests.unit.manifest.recording import NOW, Pusher, folder, recount_differs, rows
from tests.unit.manifest.test_pictures import processed, settle, variant

VECTOR = b"\0\x3c\0\0"  # (1, 0) in float16
OTHER = b"\0\0\0\x3c"


def embeddable(manifest: Manifest, *names: str) -> StageScope:
    """Uploaded and processed files; the scope of their embed items."""
    scope = followed(manifest, *names)
    done: list[ProcessedItem] = [
        processed(item, variant(item, "preview")) for item in claim(manifest, scope)
    ]
    settle(manifest, *done, follows=Stage.EMBED)
    return StageScope(scope.destination_id, Stage.EMBED)


def embed(
    manifest: Manifest,
    *items: WorkItem,
    vector: bytes | None = VECTOR,
    name: str = "one",
    version: str = "1",
    classes: bytes | None = None,
    run_id: str = "a",
) -> None:
    done = [EmbeddedItem(item, vector, classes, 0.1) for item in items]
    manifest.embeddings.settle(
        done, name=name, version=version, dimension=2, run_id=run_id, now=NOW + 5
    )


def newest(manifest: Manifest, name: str | None = None) -> EmbedderRow:
    row = manifest.embeddings.newest(name)
    assert row is not None
    return row


def embed_states(manifest: Manifest) -> dict[str, int]:
    return manifest.stage_queue.counts(1, Stage.EMBED)


def test_without_embeddings_there_is_no_embedder(manifest: Manifest) -> None:
    vectors = manifest.embeddings
    assert vectors.newest() is None
    assert vectors.newest_name() is None
    assert vectors.id_of("one", "1") is None
    assert vectors.dimension_of("one", "1") is None
    assert vectors.most_rows() == 0
    assert vectors.known([1, 2], None) == set()
    assert not vectors.lacks(1, None)


def test_an_embedding_is_written_down_with_its_attempt(manifest: Manifest) -> None:
    a, b = claim(manifest, embeddable(manifest, "a.jpg", "b.jpg"))
    embed(manifest, a, b, classes=b"1234")
    row = newest(manifest)
    assert (row.name, row.version, row.dimension, row.rows) == ("one", "1", 2, 2)
    assert manifest.embeddings.dimension_of("one", "1") == (row.id, 2)
    assert [one[1:] for one in manifest.embeddings.rows(row.id, 0)] == [
        (a.content_id, VECTOR),
        (b.content_id, VECTOR),
    ]
    assert [one[2] for one in manifest.embeddings.class_rows(row.id, 0)] == [b"1234", b"1234"]
    both = manifest.embeddings.vector_and_class_rows(row.id, 0)
    assert [one[2] for one in both] == [VECTOR + b"1234"] * 2
    assert embed_states(manifest)["done"] == 2
    query = (
        "SELECT number, outcome FROM attempt JOIN item ON item.id = item_id WHERE stage = 'embed'"
    )
    assert rows(manifest, query) == [(1, "done"), (1, "done")]
    assert not recount_differs(manifest)


def test_rows_are_asked_for_from_an_id_on(manifest: Manifest) -> None:
    a, b = claim(manifest, embeddable(manifest, "a.jpg", "b.jpg"))
    embed(manifest, a)
    first = newest(manifest)
    embed(manifest, b)
    second = newest(manifest)
    assert second.highest > first.highest
    assert second.generation == first.generation, "what was there is as it was"
    assert [one[1] for one in manifest.embeddings.rows(first.id, first.highest)] == [b.content_id]
    assert [one[2] for one in manifest.embeddings.class_rows(first.id, first.highest)] == [b""]
    both = manifest.embeddings.vector_and_class_rows(first.id, first.highest)
    assert [one[2] for one in both] == [VECTOR]


def test_a_vector_in_the_place_of_another_changes_the_generation(manifest: Manifest) -> None:
    scope = embeddable(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    embed(manifest, item)
    before = newest(manifest)
    manifest.stage_queue.redo(1, Stage.EMBED, limit=None)
    (again,) = claim(manifest, scope)
    embed(manifest, again, vector=OTHER)
    after = newest(manifest)
    assert after.generation > before.generation
    assert (after.highest, after.rows) == (before.highest, 1)
    assert [one[2] for one in manifest.embeddings.rows(after.id, 0)] == [OTHER]


def test_a_removed_vector_changes_the_generation_and_its_id_is_not_used_again(
    manifest: Manifest,
) -> None:
    a, b = claim(manifest, embeddable(manifest, "a.jpg", "b.jpg"))
    embed(manifest, a)
    before = newest(manifest)
    sql(manifest, "DELETE FROM embedding")
    assert newest(manifest).generation > before.generation
    embed(manifest, b)
    assert newest(manifest).highest > before.highest


def test_each_manifest_has_a_token_of_its_own(manifest: Manifest, tmp_path: object) -> None:
    (item,) = claim(manifest, embeddable(manifest, "a.jpg"))
    embed(manifest, item)
    with Manifest(f"{tmp_path}/other.db") as other:
        (item,) = claim(other, embeddable(other, "a.jpg"))
        embed(other, item)
        assert newest(other).token != newest(manifest).token


def test_what_is_known_is_done_without_a_vector(manifest: Manifest) -> None:
    scope = embeddable(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    embed(manifest, item)
    assert manifest.embeddings.known([item.content_id, 99], newest(manifest).id) == {
        item.content_id
    }
    manifest.stage_queue.redo(1, Stage.EMBED, limit=None)
    (again,) = claim(manifest, scope)
    embed(manifest, again, vector=None)
    assert embed_states(manifest)["done"] == 1
    assert newest(manifest).rows == 1


def test_another_model_finds_its_work_and_leaves_the_vectors(manifest: Manifest) -> None:
    scope = embeddable(manifest, "a.jpg", "b.jpg")
    embed(manifest, *claim(manifest, scope))
    first = newest(manifest)
    assert not manifest.embeddings.lacks(1, first.id)
    assert manifest.embeddings.lacks(1, None)
    assert manifest.embeddings.reopen(1, None) == 2
    assert embed_states(manifest)["ready"] == 2
    a, b = claim(manifest, scope)
    embed(manifest, a, name="two")
    assert newest(manifest).name == "two"
    assert manifest.embeddings.newest_name() == "two"
    assert newest(manifest, "one") == first
    assert manifest.embeddings.newest("three") is None
    assert manifest.embeddings.most_rows() == 2
    embed(manifest, b, name="two")
    assert not manifest.embeddings.lacks(1, newest(manifest, "two").id)
    assert manifest.embeddings.reopen(1, first.id) == 0, "back again costs nothing"
    assert not recount_differs(manifest)


def test_reopening_touches_neither_dead_nor_waiting_items(manifest: Manifest) -> None:
    scope = embeddable(manifest, "a.jpg", "b.jpg", "c.jpg")
    a, b, c = claim(manifest, scope)
    embed(manifest, a)
    missed = [
        FailedItem(b, ErrorClass.INVALID, "no vector", None, None, 0.1),
        FailedItem(c, ErrorClass.NETWORK, "reset", None, NOW + 60, 0.1),
    ]
    manifest.stage_queue.fail(missed, run_id="a", now=NOW)
    assert manifest.embeddings.reopen(1, None) == 1
    counts = {state: count for state, count in embed_states(manifest).items() if count}
    assert counts == {"ready": 1, "dead": 1, "waiting": 1}


def test_a_reopened_item_has_all_its_attempts_again(manifest: Manifest) -> None:
    scope = embeddable(manifest, "a.jpg")
    embed(manifest, *claim(manifest, scope))
    manifest.embeddings.reopen(1, None)
    (item,) = claim(manifest, scope)
    assert item.attempts_granted == item.attempts == 1


def test_a_claim_that_was_lost_keeps_its_vector(manifest: Manifest) -> None:
    """The work was done, whoever holds the item now."""
    scope = embeddable(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    manifest.stage_queue.release([item], run_id="a")
    embed(manifest, item)
    assert newest(manifest).rows == 1
    assert embed_states(manifest)["ready"] == 1


@pytest.mark.parametrize("held", [True, False])
def test_the_counts_hold_when_a_contents_last_file_goes(manifest: Manifest, held: bool) -> None:
    scope = embeddable(manifest, "a.jpg")
    items = claim(manifest, scope)
    pusher = Pusher.begin(manifest, "later")
    known = pusher.known()["a.jpg"]
    if not held:
        manifest.stage_queue.release(items, run_id="a")
    pusher.record(folder(gone=[known]))
    if held:
        embed(manifest, *items)
    assert not recount_differs(manifest)
