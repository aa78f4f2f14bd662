"""Hits as frames and sections of a sheet."""

from __future__ import annotations

import io

from bulkup.cli.contact_sheet.frames import sections_of
from bulkup.cli.contact_sheet.sheet import write_sheet
from bulkup.manifest.reports.search import PictureRow, Placed
from bulkup.model import Digest
from bulkup.operations.pictures.search import SearchHit, SearchResult
from tests.e2e.pictures import photo
from tests.unit.content.picture.made import saved, scene


def picture(content_id: int, name: str, size_bytes: int = 1000) -> PictureRow:
    return PictureRow(
        content_id, Digest(f"{content_id:064x}"), size_bytes, (("/root/", name), ("/other", "x")),
        1, 30, 20, "2020-01-02T03:04:05+02:00", "Canon", None, None, None, None, None,
    )  # fmt: skip


def test_hits_are_one_section_without_a_heading() -> None:
    hits = tuple(SearchHit(picture(n, f"{n}.jpg"), 1 / n) for n in (1, 2))
    (section,) = sections_of(SearchResult(hits), {}, {})
    assert section.heading == ""
    first, second = section.frames
    assert (first.path, first.score, first.key, first.thumb) == ("/root/1.jpg", 1.0, None, None)
    assert not first.is_best
    assert second.digest.endswith("2")


def test_groups_are_sections_and_say_what_there_is_to_spare() -> None:
    hits = tuple(
        SearchHit(picture(n, f"{n}.jpg", 1024 * n), 1.0, group)
        for n, group in ((1, 1), (2, 1), (3, 1), (4, 2), (5, 2))
    )
    first, second = sections_of(SearchResult(hits), {}, {})
    assert first.heading == "Group 1: 3 pictures, 5.0 KiB reclaimable"
    assert second.heading == "Group 2: 2 pictures, 5.0 KiB reclaimable"
    assert [frame.is_best for frame in first.frames] == [True, False, False]


def test_thumbs_are_told_by_their_bytes_and_what_is_none_is_a_gap() -> None:
    hits = tuple(SearchHit(picture(n, f"{n}.jpg"), 1.0) for n in (1, 2, 3, 4))
    bodies = {1: saved(scene(20, 10), "WEBP"), 2: photo(1, 20, 10), 3: b"<script>alert(1)</script>"}
    places = {1: Placed(1, "a key", "v")}
    out = io.BytesIO()
    assert write_sheet(sections_of(SearchResult(hits), places, bodies), out, title="t") == 4
    text = out.getvalue().decode()
    assert text.count("data:image/webp;base64,") == 1
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count("no thumbnail") == 2
    assert "alert(1)" not in text
    assert "a key" in text


def test_no_hit_is_a_sheet_that_says_so() -> None:
    out = io.BytesIO()
    assert write_sheet(sections_of(SearchResult(()), {}, {}), out, title="t") == 0
    assert b"Nothing to show" in out.getvalue()
