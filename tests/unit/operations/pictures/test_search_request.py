"""A search as a value, and its hits as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bulkup.errors import UsageError
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.search import PictureRow, Placed
from bulkup.model import Digest
from bulkup.operations.pictures.search import SearchHit
from bulkup.operations.pictures.search_request import SearchRequest, found_pictures


def picture(content_id: int, name: str) -> PictureRow:
    return PictureRow(
        content_id, Digest(f"{content_id:064x}"), 1000, (("/root/", name), ("/other", "x")),
        1, 30, 20, "2020-01-02T03:04:05+02:00", "Canon", None, None, None, None, None,
    )  # fmt: skip


def one(hits: Sequence[SearchHit], placed: Mapping[int, Placed]) -> dict[str, object]:
    (found,) = found_pictures(hits, placed)
    return found.as_json()


@pytest.mark.parametrize(
    "request_",
    [SearchRequest(), SearchRequest(text="a", like="b"), SearchRequest(text="a", duplicates=True)],
)
def test_a_search_asks_for_one_thing(request_: SearchRequest) -> None:
    with pytest.raises(UsageError, match="only one of them"):
        request_.check()


def test_dates_between_which_nothing_lies_are_refused(tmp_path: Path) -> None:
    with (
        Reader(tmp_path / "manifest.db") as reader,
        pytest.raises(UsageError, match="--after 2020 is not before --before 2019"),
    ):
        SearchRequest(text="a", after="2020", before="2019").filters(reader)


def test_a_document_for_each_hit() -> None:
    hit = SearchHit(picture(1, "a.jpg"), 0.12345678)
    document = one([hit], {1: Placed(1, "a.jpg", None)})
    assert document == {
        "path": "/root/a.jpg",
        "digest": f"{1:064x}",
        "key": "a.jpg",
        "score": 0.123457,
        "taken_at": "2020-01-02T03:04:05+02:00",
        "camera": "Canon",
    }
    document = one([hit._replace(group=3)], {})
    assert (document["key"], document["group"]) == (None, 3)
    document = one([hit._replace(is_weak=True, reasons=("by chance",))], {})
    assert (document["weak"], document["reasons"]) == (True, ("by chance",))
