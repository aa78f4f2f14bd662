"""The variants and the metadata of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkup.manifest.database.sql import Statements, execute_rows
from bulkup.manifest.queue.release import forget_unwanted
from bulkup.manifest.queue.settle import enqueue_after, settle_done
from bulkup.manifest.rows import ProcessedItem, VariantRow, as_text, text_array
from bulkup.model import Digest, Stage

if TYPE_CHECKING:
    from bulkup.content.picture.types import Metadata, PictureFacts


class Pictures(Statements):
    """Variants and metadata, by content."""

    def settle(
        self,
        done: Sequence[ProcessedItem],
        *,
        follows: Stage | None,
        destination_id: int,
        run_id: str,
        now: float,
    ) -> None:
        """Record contents whose variants the destination has; one transaction. With `follows`,
        that stage gets an item for each of them."""
        if not done:
            return
        with self._transaction():
            settle_done(self._db, [(p.item, p.seconds) for p in done], Stage.PROCESS, run_id, now)
            self._record_variants(done, destination_id, now)
            execute_rows(
                self._db,
                "INSERT OR REPLACE INTO picture VALUES {rows}",
                [_picture(p.item.content_id, p.metadata) for p in done],
            )
            self._requeue_embed(done, destination_id)
            if follows is not None:
                enqueue_after(self._db, [p.item for p in done], follows)
            for one in done:
                forget_unwanted(self._db, one.item.item_id)

    def _record_variants(
        self, done: Sequence[ProcessedItem], destination_id: int, now: float
    ) -> None:
        execute_rows(
            self._db,
            "INSERT INTO object (destination_id, key, content_id, kind, size_bytes, etag, "
            "stored_at, variant_digest) VALUES {rows} ON CONFLICT DO UPDATE SET "
            "size_bytes = excluded.size_bytes, etag = excluded.etag, "
            "stored_at = excluded.stored_at, variant_digest = excluded.variant_digest",
            [
                (
                    destination_id,
                    v.key,
                    p.item.content_id,
                    v.kind,
                    v.size_bytes,
                    v.etag,
                    now,
                    bytes.fromhex(v.digest),
                )
                for p in done
                for v in p.variants
            ],
        )

    def _requeue_embed(self, done: Sequence[ProcessedItem], destination_id: int) -> None:
        """What was skipped when it was first processed was skipped by `embed`, too."""
        self._db.executemany(
            "UPDATE item SET state = 'ready', reason = NULL WHERE content_id = ? "
            f"AND destination_id = ? AND stage = '{Stage.EMBED}' AND state = 'skipped'",
            ((p.item.content_id, destination_id) for p in done if p.item.attempts),
        )

    def variants(self, content_id: int, destination_id: int) -> list[VariantRow]:
        """The content's variants at a destination, the smallest first."""
        rows = self._db.execute(
            "SELECT kind, key, size_bytes, lower(hex(variant_digest)), etag FROM object "
            "WHERE content_id = ? AND +destination_id = ? AND variant_digest IS NOT NULL "
            "AND stored_at IS NOT NULL ORDER BY size_bytes, key",
            (content_id, destination_id),
        )
        return [VariantRow(r[0], r[1], r[2], Digest(r[3]), r[4]) for r in rows]


def _picture(content_id: int, metadata: Metadata) -> tuple[object, ...]:
    """A row of the table `picture`, in the order of its columns."""
    m, facts = metadata, metadata.facts
    place, exposure = facts.place, facts.exposure
    return (
        content_id,
        m.width_px,
        m.height_px,
        m.format,
        m.orientation,
        _moment(facts),
        _text(facts.camera),
        _text(facts.lens),
        exposure.f_number,
        exposure.exposure_seconds,
        exposure.iso,
        exposure.focal_length_mm,
        None if place is None else place.latitude_degrees,
        None if place is None else place.longitude_degrees,
        None if place is None else place.altitude_metres,
        m.perceptual_hash,
        m.is_truncated,
        *_words(facts),
        0 if facts.original else 1 if facts.digitised else 2,
        facts.taken_from,
        facts.live_id,
        facts.burst_id,
        facts.motion_bytes,
        _tags(facts),
    )


def sidecar_row(asset_id: int, facts: PictureFacts) -> tuple[object, ...]:
    """A row of the table `sidecar`, in the order of its columns."""
    place = facts.place
    return (
        asset_id,
        _moment(facts),
        None if place is None else place.latitude_degrees,
        None if place is None else place.longitude_degrees,
        None if place is None else place.altitude_metres,
        *_words(facts),
        facts.taken_from,
        _tags(facts),
    )


def _moment(facts: PictureFacts) -> str | None:
    return None if facts.taken_at is None else str(facts.taken_at)


def _words(facts: PictureFacts) -> tuple[object, ...]:
    keywords = text_array(facts.keywords)
    return facts.rating, _text(facts.title), _text(facts.description), keywords


def _tags(facts: PictureFacts) -> str | None:
    return text_array(facts.tags)


def _text(words: str | None) -> str | None:
    return None if words is None else as_text(words)
