"""The gallery: all pictures once, by date, page by page; searches; albums."""

from __future__ import annotations

import re
from urllib.parse import unquote

import httpx
import pytest

from bulkup.manifest.server import ServerManifest
from bulkup.model import Digest
from bulkup.serve.context import ServerContext
from bulkup.serve.pages import gallery as module
from tests.sql import sql
from tests.unit.serve.library import HOSTILE, Library

HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
async def filled(context: ServerContext) -> None:
    """The server has looked at the manifest once."""
    await context.live.tick()


def digests(html: str) -> list[str]:
    return re.findall(r'class="tile[^"]*" href="/picture/([0-9a-f]{64})"', html)


async def walked(client: httpx.AsyncClient, url: str, rel: str = "next") -> list[str]:
    """The pictures of all pages behind a URL, by the links."""
    found: list[str] = []
    while True:
        page = (await client.get(url)).text
        found += digests(page)
        link = re.search(rf'href="([^"]*)" rel="{rel}"', page)
        if link is None:
            return found
        url = unquote(link[1].replace("&amp;", "&"))


async def test_all_pictures_are_on_the_pages_once_newest_first(
    viewer: httpx.AsyncClient, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)

    found = await walked(viewer, "/")

    assert len(found) == len(set(found)) == 9  # of ten files two are equal
    trip = [library.digest(f"trip/{n}.jpg") for n in range(6)]
    assert [one for one in found if one in trip] == trip[::-1]
    assert sorted(await walked(viewer, "/?until=2000", "prev")) == sorted(found)


async def test_a_month_of_the_timeline_begins_the_page(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    page = (await viewer.get("/")).text
    assert 'href="/?from=2011-04"' in page

    found = digests((await viewer.get("/?from=2011-04")).text)

    assert found[0] == library.digest("trip/1.jpg")  # 22 April 2011


async def test_a_date_that_is_learned_moves_the_picture(
    viewer: httpx.AsyncClient, library: Library, manifest: ServerManifest
) -> None:
    digest = library.digest("trip/0.jpg")
    sql(
        manifest.path,
        "INSERT INTO sidecar (asset_id, taken_at) SELECT asset.id, '2030-01-01T00:00:00' "
        "FROM asset JOIN content ON content.id = content_id WHERE lower(hex(digest)) = ?",
        digest,
    )

    assert digests((await viewer.get("/?from=2030")).text)[0] == digest
    assert "January 2030" in (await viewer.get("/")).text

    sql(manifest.path, "DELETE FROM sidecar")
    assert digests((await viewer.get("/?from=2030")).text)[0] != digest
    assert "January 2030" not in (await viewer.get("/")).text


async def test_a_picture_without_a_thumbnail_says_why(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/")).text

    assert "No thumbnail: process dead" in page


async def test_names_with_html_are_text(viewer: httpx.AsyncClient, library: Library) -> None:
    for url in ("/", "/?q=trip", f"/picture/{library.digest(HOSTILE)}", "/duplicates"):
        page = await viewer.get(url)
        assert page.status_code == 200
        assert "<img src=x" not in page.text
    assert "&lt;img src=x" in (await viewer.get(f"/picture/{library.digest(HOSTILE)}")).text


async def test_names_look_like_what_they_are(viewer: httpx.AsyncClient) -> None:
    page = (await viewer.get("/", params={"q": "photo\u202egpj.exe \x1b[31m \u2067\u05d0"})).text

    assert "photo\\u202egpj.exe \\u001b[31m \\u2067\u05d0" in page
    assert not {"\u202e", "\x1b", "\u2067"} & set(page)


@pytest.mark.parametrize(
    "query",
    ["from=<script>", "from=2019-05~x", "until='", "like=zz", "cursor=-1&q=x", "from=%00",
     "from=" + "9" * 5000],
)  # fmt: skip
async def test_odd_places_are_refused(viewer: httpx.AsyncClient, query: str) -> None:
    found = await viewer.get(f"/?{query}", headers=HTML)

    assert found.status_code == 422
    assert "<script>" not in found.text.replace("<script type", "")


async def test_a_search_shows_its_hits_or_why_there_are_none(viewer: httpx.AsyncClient) -> None:
    assert len(digests((await viewer.get("/?q=trip")).text)) == 8
    unknown = await viewer.get("/?q=qwxzy<b>")
    assert unknown.status_code == 200
    assert "qwxzy&lt;b&gt;" in unknown.text
    assert "<b>" not in unknown.text


async def test_similar_pictures(viewer: httpx.AsyncClient, library: Library) -> None:
    found = digests((await viewer.get(f"/?like={library.digest('trip/2.jpg')}")).text)

    assert len(found) == 7


async def test_an_album_has_its_pictures(
    viewer: httpx.AsyncClient, library: Library, manifest: ServerManifest
) -> None:
    sql(manifest.path, "INSERT INTO album VALUES (1, 'Lake & sea', 'folder')")
    sql(manifest.path, "INSERT INTO album_asset SELECT 1, id FROM asset WHERE name = '3.jpg'")

    page = (await viewer.get("/")).text
    assert 'href="/?album=Lake+%26+sea"' in page
    album = (await viewer.get("/?album=Lake %26 sea")).text

    assert digests(album) == [library.digest("trip/3.jpg")]
    assert '<h1 class="">Lake &amp; sea</h1>' in album


async def test_pictures_of_one_moment_are_on_the_pages_once(
    viewer: httpx.AsyncClient, manifest: ServerManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    sql(manifest.path, "UPDATE timeline SET taken_at = '2020-01-01T00:00:00'")

    found = await walked(viewer, "/")

    assert len(found) == len(set(found)) == 9
    assert sorted(await walked(viewer, "/?until=2000", "prev")) == sorted(found)


@pytest.mark.parametrize(
    ("where", "plan"),
    [
        ("taken_at < '2012~'", "(taken_at<?)"),
        ("taken_at = '2012' AND content_id < 7", "(taken_at=? AND content_id<?)"),
    ],
)
def test_a_page_is_read_by_the_index(manifest: ServerManifest, where: str, plan: str) -> None:
    found = sql(
        manifest.path,
        f"EXPLAIN QUERY PLAN SELECT content_id FROM timeline WHERE {where} AND shown_by IS NULL "
        "ORDER BY taken_at DESC, content_id DESC LIMIT 3",
    )

    assert [row[3] for row in found] == [f"SEARCH timeline USING INDEX timeline_order {plan}"]


async def test_of_a_pair_one_picture_is_shown_and_leads_to_the_other(
    viewer: httpx.AsyncClient, library: Library, manifest: ServerManifest
) -> None:
    shown, partner = library.digest("trip/1.jpg"), library.digest("trip/2.jpg")
    counted = "SELECT sum(pictures) FROM timeline_month"
    ((before,),) = sql(manifest.path, counted)

    assert manifest.timeline.pair([(Digest(shown), Digest(partner))]) == 1

    assert partner not in digests((await viewer.get("/")).text)
    assert partner in digests((await viewer.get(f"/picture/{shown}")).text)
    assert sql(manifest.path, counted) == [(before - 1,)]
    assert manifest.timeline.pair([(Digest(shown), Digest(partner))]) == 0
    assert manifest.timeline.pair([]) == 1
    assert partner in digests((await viewer.get("/")).text)
    assert sql(manifest.path, counted) == [(before,)]


def test_pictures_that_stand_for_each_other_do_not_vanish(
    library: Library, manifest: ServerManifest
) -> None:
    one, two, three = (Digest(library.digest(f"trip/{n}.jpg")) for n in (1, 2, 3))

    manifest.timeline.pair([(one, two), (two, one), (two, three), (three, three)])

    rows = sql(manifest.path, "SELECT content_id, shown_by FROM timeline")
    hidden = {content for content, shown_by in rows if shown_by is not None}
    assert not hidden & {shown_by for _, shown_by in rows}
