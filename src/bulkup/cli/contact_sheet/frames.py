"""Turns hits into the frames and sections of a contact sheet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from bulkup.cli.contact_sheet.sheet import Frame, Section, Thumb
from bulkup.cli.output.text import count, size
from bulkup.content.media import media_type
from bulkup.manifest.reports.search import Placed
from bulkup.operations.pictures.search import SearchHit, SearchResult


def sections_of(
    result: SearchResult, placed: Mapping[int, Placed], thumbs: Mapping[int, bytes]
) -> Iterator[Section]:
    """One section for hits, or one per group of near-duplicates."""
    for group, hits in groupby(result.hits, key=lambda hit: hit.group):
        members = list(hits)
        frames = [
            _frame(hit, placed, thumbs, is_best=group is not None and number == 0)
            for number, hit in enumerate(members)
        ]
        yield Section("" if group is None else _heading(group, members), frames)


def _heading(group: int, members: list[SearchHit]) -> str:
    spare = sum(hit.picture.size_bytes for hit in members[1:])
    return f"Group {group}: {count(len(members), 'picture')}, {size(spare)} reclaimable"


def _frame(
    hit: SearchHit, placed: Mapping[int, Placed], thumbs: Mapping[int, bytes], *, is_best: bool
) -> Frame:
    picture = hit.picture
    place, body = placed.get(picture.content_id), thumbs.get(picture.content_id)
    return Frame(
        path=picture.path,
        digest=picture.digest,
        score=hit.score,
        is_weak=hit.is_weak,
        reasons=hit.reasons,
        key=None if place is None else place.key,
        taken_at=picture.taken_at,
        camera=picture.camera,
        width_px=picture.width_px,
        height_px=picture.height_px,
        size_bytes=picture.size_bytes,
        thumb=None if body is None else Thumb(body, media_type("", body[:512])),
        is_best=is_best,
    )
