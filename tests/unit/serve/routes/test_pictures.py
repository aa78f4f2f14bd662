"""Thumbnails, previews and originals as browsers ask for them."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

from bulkup.manifest.server import ServerManifest
from bulkup.serve.context import ServerContext
from tests.sql import sql
from tests.unit.serve.library import HOSTILE, Library


async def test_a_thumbnail_is_a_small_picture_that_browsers_keep(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    for _ in range(2):  # the second time from memory
        found = await viewer.get(f"/api/v1/thumb/{library.digest('trip/1.jpg')}")
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
        assert found.headers["content-type"] == "image/webp"
        assert max(Image.open(io.BytesIO(found.content)).size) == 256

    for condition in (found.headers["etag"], "*"):
        again = await viewer.get(
            f"/api/v1/thumb/{library.digest('trip/1.jpg')}", headers={"If-None-Match": condition}
        )
        assert again.status_code == 304


async def test_a_preview_is_the_larger_variant(viewer: httpx.AsyncClient, library: Library) -> None:
    found = await viewer.get(f"/api/v1/preview/{library.digest('trip/1.jpg')}")

    assert found.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(found.content)).size) == 320


@pytest.mark.parametrize("kind", ["original", "preview"])
async def test_parts_of_a_body(viewer: httpx.AsyncClient, library: Library, kind: str) -> None:
    url = f"/api/v1/{kind}/{library.digest('trip/2.jpg')}"
    whole = await viewer.get(url)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-length"] == str(size)

    for sent, expected in (
        ("bytes=0-9", whole.content[:10]),
        ("bytes=10-", whole.content[10:]),
        ("bytes=-5", whole.content[-5:]),
        (f"bytes=3-{size * 2}", whole.content[3:]),
    ):
        part = await viewer.get(url, headers={"Range": sent})
        assert part.status_code == 206
        assert part.content == expected
        assert part.headers["content-range"].endswith(f"/{size}")

    assert (await viewer.get(url, headers={"Range": f"bytes={size}-"})).status_code == 416
    several = await viewer.get(url, headers={"Range": "bytes=0-1,3-4"})
    assert (several.status_code, several.content) == (200, whole.content)
    changed = await viewer.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert changed.status_code == 200
    head = await viewer.head(url, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))


async def test_the_original_has_its_bytes_and_its_name(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    found = await viewer.get(f"/api/v1/original/{library.digest(HOSTILE)}")

    assert found.content == (library.folder / HOSTILE).read_bytes()
    assert found.headers["content-type"] == "image/jpeg"
    disposition = found.headers["content-disposition"]
    assert disposition.startswith("inline; filename*=UTF-8''%3Cimg%20src")
    head = await viewer.head(f"/api/v1/original/{library.digest(HOSTILE)}")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(found.content)))


async def test_a_picture_without_a_thumbnail_says_why(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    found = await viewer.get(f"/api/v1/thumb/{library.digest('broken.jpg')}")

    assert found.status_code == 404
    assert "process is dead" in found.json()["detail"]


@pytest.mark.parametrize("kind", ["thumb", "preview", "original"])
@pytest.mark.parametrize(
    "digest",
    ["0" * 64, "A" * 64, "..%2f..%2fetc%2fpasswd", "%00", "..", "'%20OR%201=1", "\u0661" * 64],
)
async def test_what_is_no_digest_finds_nothing(
    viewer: httpx.AsyncClient, kind: str, digest: str
) -> None:
    found = await viewer.get(f"/api/v1/{kind}/{digest}")

    assert found.status_code == 404
    assert "passwd" not in found.json()["detail"]


async def test_an_object_that_is_gone_is_a_problem(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    store = library.manifest.parent / "store"
    (key,) = list(store.rglob("5.jpg"))
    moved = key.rename(key.with_name("moved"))
    try:
        found = await viewer.get(f"/api/v1/original/{library.digest('trip/5.jpg')}")
    finally:
        moved.rename(key)

    assert found.status_code == 404
    assert found.headers["content-type"] == "application/problem+json"


@pytest.fixture
def at_s3(manifest: ServerManifest, context: ServerContext) -> None:
    """The library as if its objects were in a bucket. Nobody asks it: URLs are signed here."""
    sql(
        manifest.path,
        "UPDATE destination SET url = 's3://bucket/photos', "
        "endpoint_url = 'https://s3.example.org', region = 'eu-1', addressing_style = 'path'",
    )


@pytest.mark.usefixtures("at_s3")
async def test_an_original_in_a_bucket_is_a_signed_url_of_five_minutes(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    found = await viewer.get(f"/api/v1/original/{library.digest('trip/1.jpg')}")

    assert found.status_code == 307
    url = urlsplit(found.headers["location"])
    assert (url.scheme, url.netloc) == ("https", "s3.example.org")
    assert parse_qs(url.query)["X-Amz-Expires"] == ["300"]
    assert found.headers["cache-control"] == "private, no-store"
    assert "secret-key" not in found.headers["location"]


@pytest.mark.usefixtures("at_s3")
async def test_only_the_page_for_uploads_may_talk_to_the_bucket(
    uploader: httpx.AsyncClient,
) -> None:
    upload = (await uploader.get("/upload")).headers["content-security-policy"]
    gallery = (await uploader.get("/")).headers["content-security-policy"]

    assert "connect-src 'self' https://s3.example.org;" in upload
    assert "example.org" not in gallery


async def test_a_variant_that_is_made_again_is_served_once_the_server_knows(
    viewer: httpx.AsyncClient, library: Library, manifest: ServerManifest, context: ServerContext
) -> None:
    url = f"/api/v1/thumb/{library.digest('trip/1.jpg')}"
    await context.live.tick()
    first = await viewer.get(url)
    assert (await viewer.get(url)).headers["etag"] == first.headers["etag"]
    sql(manifest.path, "UPDATE object SET variant_digest = x'00' WHERE kind = 'thumb'")

    await context.live.tick()

    assert (await viewer.get(url)).headers["etag"] == '"00"'
