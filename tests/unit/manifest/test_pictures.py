"""Variants and metadata, written down and asked for."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from bulkup.content.picture.types import Exposure, Metadata, Moment, PictureFacts, Place
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.rows import ProcessedItem, SkippedItem, VariantRow, WorkItem
from bulkup.model import Digest, Stage
from tests.unit.manifest.queue.test_stages import claim, followed
from tests.unit.manifest.recording import NOW, recount_differs, rows

METADATA = Metadata(
    width_px=3000,
    height_px=2000,
    format="JPEG",
    orientation=6,
    facts=PictureFacts(
        original=Moment(datetime.fromisoformat("2020-01-02T03:04:05"), 120),
        camera="Canon EOS 7D",
        lens="bad \udcff bytes",
        exposure=Exposure(2.8, 0.004, 100, 50.0),
        place=Place(47.5, -8.25, 400.0),
        rating=4,
        title="A title",
        keywords=("K\u00f6ln", "bad \udcff bytes"),
    ),
    perceptual_hash="00ff00ff00ff00ff",
)


def variant(item: WorkItem, kind: str, body: bytes = b"x") -> VariantRow:
    digest = Digest(sha256(body).hexdigest())
    return VariantRow(kind, f".bulkup/{kind}/{item.digest}.webp", len(body), digest, "etag")


def settle(
    manifest: Manifest,
    *done: ProcessedItem,
    follows: Stage | None = None,
    run_id: str = "a",
) -> None:
    manifest.pictures.settle(done, follows=follows, destination_id=1, run_id=run_id, now=NOW)


def processed(item: WorkItem, *variants: VariantRow) -> ProcessedItem:
    return ProcessedItem(item, variants, METADATA, 0.1)


def test_a_picture_is_written_down_and_can_be_asked_for(manifest: Manifest) -> None:
    (item,) = claim(manifest, followed(manifest, "a.jpg"))
    settle(
        manifest,
        processed(item, variant(item, "preview", b"12"), variant(item, "thumb")),
    )
    found = rows(
        manifest,
        "SELECT path, digest, width_px, height_px, orientation, camera, f_number, latitude, "
        "longitude, perceptual_hash, is_truncated, rating, title, keywords FROM pictures",
    )
    assert found == [
        (
            "a.jpg", item.digest, 3000, 2000, 6, "Canon EOS 7D", 2.8, 47.5, -8.25,
            "00ff00ff00ff00ff", 0, 4, "A title", '["K\u00f6ln", "bad \\\\udcff bytes"]',
        )
    ]  # fmt: skip
    by_keyword = "SELECT path FROM pictures WHERE keywords LIKE '%K\u00f6ln%'"
    assert rows(manifest, by_keyword) == [("a.jpg",)]
    assert [one.kind for one in manifest.pictures.variants(item.content_id, 1)] == [
        "thumb",
        "preview",
    ]
    assert rows(manifest, "SELECT process, embed FROM files") == [("done", None)]
    attempts = rows(manifest, "SELECT number, outcome, run_id FROM attempt WHERE run_id = 'a'")
    assert attempts == [(1, "done", "a")]
    assert not recount_differs(manifest)


def test_a_variant_is_no_original(manifest: Manifest) -> None:
    """Its key is no file's, and deduplication does not see it."""
    (item,) = claim(manifest, followed(manifest, "a.jpg"))
    settle(manifest, processed(item, variant(item, "thumb")))
    assert rows(manifest, "SELECT key FROM files") == [("a.jpg",)]
    assert manifest.reports.status().unique == 1


def test_what_is_done_again_replaces_what_was_said(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    settle(manifest, processed(item, variant(item, "thumb")))
    assert manifest.stage_queue.redo(1, Stage.PROCESS, limit=None) == 1
    (again,) = claim(manifest, scope)
    assert again.attempts == 1
    settle(manifest, processed(again, variant(item, "thumb", b"other")))
    (one,) = manifest.pictures.variants(item.content_id, 1)
    assert one.digest == sha256(b"other").hexdigest()
    assert rows(manifest, "SELECT count(*) FROM picture") == [(1,)]
    assert not recount_differs(manifest)


def test_the_next_stage_follows(manifest: Manifest) -> None:
    first, second = claim(manifest, followed(manifest, "a.jpg", "b.jpg"))
    settle(manifest, processed(first), processed(second), follows=Stage.EMBED)
    assert manifest.stage_queue.counts(1, Stage.EMBED) == {"ready": 2}
    assert not recount_differs(manifest)


def test_what_was_skipped_and_is_a_picture_now_is_to_be_embedded(manifest: Manifest) -> None:
    """A decoder was installed, and `process --force` run: the run itself embeds nothing."""
    scope = followed(manifest, "a.jxl")
    passed = [SkippedItem(one, "no decoder", 0.1) for one in claim(manifest, scope)]
    manifest.stage_queue.skip(passed, stage=Stage.PROCESS, follows=Stage.EMBED, run_id="a", now=NOW)
    assert manifest.stage_queue.counts(1, Stage.EMBED) == {"skipped": 1}
    manifest.stage_queue.redo(1, Stage.PROCESS, limit=None)
    (item,) = claim(manifest, scope)
    settle(manifest, processed(item, variant(item, "thumb")))
    assert manifest.stage_queue.counts(1, Stage.EMBED).get("ready") == 1


def test_what_is_done_is_so_by_whomever_it_is_claimed(manifest: Manifest) -> None:
    scope = followed(manifest, "a.jpg")
    (item,) = claim(manifest, scope)
    manifest.runs.reap_dead_runs(lambda run: run.id == "a", now=NOW)
    claim(manifest, scope, "b")
    settle(manifest, processed(item, variant(item, "thumb")))
    assert rows(manifest, "SELECT state, run_id FROM item WHERE stage = 'process'") == [
        ("done", None)
    ]
