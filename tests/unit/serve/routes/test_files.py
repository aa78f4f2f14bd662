"""Files, page by page and one by one."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.serve.library import Library


async def test_pages_have_all_files_once(viewer: httpx.AsyncClient, library: Library) -> None:
    paths: list[str] = []
    cursor = ""
    while True:
        page = (await viewer.get(f"/api/v1/files?limit=3&cursor={cursor}")).json()
        paths += [one["path"] for one in page["files"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert len(paths) == len(set(paths)) == 10
    assert f"{library.folder}/trip/3.jpg" in paths


async def test_a_pattern_selects_files(viewer: httpx.AsyncClient, library: Library) -> None:
    page = (await viewer.get("/api/v1/files", params={"glob": "trip/*.jpg"})).json()

    assert {one["path"] for one in page["files"]} == {
        f"{library.folder}/trip/{n}.jpg" for n in range(6)
    }
    fields = {"path", "size_bytes", "digest", "key", "upload", "process", "embed", "destination"}
    assert set(page["files"][0]) == fields


async def test_a_content_with_all_that_is_known(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    found = (await viewer.get(f"/api/v1/files/{library.digest('same.jpg')}")).json()

    assert {one["path"] for one in found["paths"]} == {
        f"{library.folder}/same.jpg",
        f"{library.folder}/trip/0.jpg",
    }
    assert {one["kind"] for one in found["objects"]} == {"original", "thumb", "preview"}
    assert (found["facts"]["width_px"], found["facts"]["height_px"]) == (320, 240)
    assert [one["state"] for one in found["stages"]] == ["done"] * 3


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=1001", "cursor=-1", "cursor=1e9", "cursor=" + "9" * 30]
)
async def test_wrong_parameters_are_named(viewer: httpx.AsyncClient, query: str) -> None:
    found = await viewer.get(f"/api/v1/files?{query}")

    assert found.status_code == 422
    assert query.partition("=")[0] in found.json()["detail"]


@pytest.mark.parametrize("glob", ["../../etc", "[", "%00", "*" * 5000, "'; DROP TABLE asset"])
async def test_odd_patterns_are_harmless(viewer: httpx.AsyncClient, glob: str) -> None:
    found = await viewer.get(f"/api/v1/files?glob={glob}")

    assert found.status_code in (200, 422)
    assert found.json().get("files", []) == []
