"""A picture of the browser's own as example."""

from __future__ import annotations

import httpx

from tests.unit.serve.conftest import HOST
from tests.unit.serve.library import Library
from tests.unit.serve.pages.test_gallery import digests

OWN = {"Origin": f"http://{HOST}", "Accept": "text/html"}
URL = "/search-by-example"


async def test_pictures_like_the_file_are_found(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    body = (library.folder / "trip" / "4.jpg").read_bytes()

    found = await viewer.post(URL, content=body, headers=OWN)

    assert digests(found.text)[0] == library.digest("trip/4.jpg")


async def test_what_is_no_picture_says_so(viewer: httpx.AsyncClient) -> None:
    found = await viewer.post(URL, content=b"no picture", headers=OWN)

    assert found.status_code == 200
    assert "this file" in found.text
    assert "bulkup-example" not in found.text


async def test_another_origin_and_too_large_files_are_refused(viewer: httpx.AsyncClient) -> None:
    foreign = {"Origin": "https://evil.example"}
    assert (await viewer.post(URL, content=b"x", headers=foreign)).status_code == 403
    large = {**OWN, "Content-Length": str(33 << 20)}
    assert (await viewer.post(URL, content=b"x", headers=large)).status_code == 413
