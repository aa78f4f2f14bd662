"""Searches by words and by example, and near-duplicates."""

from __future__ import annotations

import httpx
import pytest

from bulkup.manifest.server import ServerManifest
from tests.sql import sql
from tests.unit.serve.library import Library


async def test_words_find_pictures_page_by_page(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    first = (await viewer.get("/api/v1/search?q=trip&limit=4")).json()
    second = (await viewer.get(f"/api/v1/search?q=trip&limit=4&cursor={first['next']}")).json()

    paths = [hit["path"] for hit in (*first["hits"], *second["hits"])]
    assert len(first["hits"]) == 4
    assert len(paths) == len(set(paths)) == 8
    assert second["next"] is None
    assert {"path", "digest", "key", "score"} <= set(first["hits"][0])


async def test_filters_are_those_of_the_command(viewer: httpx.AsyncClient) -> None:
    found = (await viewer.get("/api/v1/search?q=sunset&path=trip/*")).json()
    assert {hit["path"].split("/")[-2] for hit in found["hits"]} == {"trip"}

    wrong = await viewer.get("/api/v1/search?q=sunset&near=here")
    assert wrong.status_code == 422


async def test_unknown_words_are_a_problem_with_a_hint(viewer: httpx.AsyncClient) -> None:
    found = await viewer.get("/api/v1/search?q=qwxzy")

    assert found.status_code == 422
    assert "qwxzy" in found.json()["detail"]
    assert (await viewer.get("/api/v1/search")).status_code == 422


async def test_similar_pictures_without_the_picture_itself(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    digest = library.digest("trip/1.jpg")

    found = (await viewer.get(f"/api/v1/similar/{digest}?limit=3")).json()

    assert len(found["hits"]) == 3
    assert digest not in {hit["digest"] for hit in found["hits"]}
    unknown = await viewer.get(f"/api/v1/similar/{'0' * 64}")
    assert unknown.status_code == 404


async def test_what_was_not_embedded_is_like_nothing(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    found = (await viewer.get(f"/api/v1/similar/{library.digest('broken.jpg')}")).json()

    assert (found["hits"], len(found["notes"])) == ([], 1)


async def test_near_duplicates_come_in_groups(viewer: httpx.AsyncClient) -> None:
    found = (await viewer.get("/api/v1/duplicates")).json()

    assert all(len(group) > 1 for group in found["groups"])


@pytest.mark.parametrize("text", ["%00", "x" * 5000, "<script>", "' OR 1=1 --", "\u202e"])
async def test_odd_texts_are_harmless(viewer: httpx.AsyncClient, text: str) -> None:
    found = await viewer.get(f"/api/v1/search?q={text}")

    assert found.status_code in (200, 422)


async def test_a_search_sees_what_changed_since_the_last_one(
    viewer: httpx.AsyncClient, manifest: ServerManifest
) -> None:
    before = (await viewer.get("/api/v1/search?q=trip&limit=200")).json()
    again = (await viewer.get("/api/v1/search?q=trip&limit=200")).json()
    assert again == before

    sql(manifest.path, "UPDATE asset SET name = 'zeppelin.jpg' WHERE name = '4.jpg'")

    found = (await viewer.get("/api/v1/search?q=zeppelin")).json()
    assert found["hits"][0]["path"].endswith("trip/zeppelin.jpg")


async def test_filters_of_one_search_are_not_those_of_the_next(viewer: httpx.AsyncClient) -> None:
    """The server keeps what it has read: what a filter leaves out must be there again."""
    whole = (await viewer.get("/api/v1/search?q=trip&limit=200")).json()
    some = (await viewer.get("/api/v1/search?q=trip&limit=200&path=*/trip/1.jpg")).json()
    none = (await viewer.get("/api/v1/search?q=trip&after=2900")).json()

    assert [hit["path"].rpartition("/")[2] for hit in some["hits"]] == ["1.jpg"]
    assert none["hits"] == []
    assert (await viewer.get("/api/v1/search?q=trip&limit=200")).json() == whole
