"""Every page: who sees it, what it offers, that it has no inline code."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from bulkup.manifest.server import ServerManifest
from tests.sql import sql
from tests.unit.manifest.recording import run_row
from tests.unit.serve.conftest import HOST
from tests.unit.serve.library import Library

HTML = {"Accept": "text/html"}
OWN = {"Origin": f"http://{HOST}"}
PAGES = ("/", "/duplicates", "/activity", "/failures", "/notifications", "/?q=trip")


def tags(html: str) -> list[tuple[str, dict[str, str]]]:
    """All tags with their attributes, as a browser reads them."""
    found: list[tuple[str, dict[str, str]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, {name: value or "" for name, value in attrs}))

    Tags().feed(html)
    return found


@pytest.mark.parametrize("path", [*PAGES, "/upload"])
async def test_without_a_token_a_page_leads_to_the_form(
    stranger: httpx.AsyncClient, path: str
) -> None:
    found = await stranger.get(path, headers=HTML)

    assert (found.status_code, found.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_no_inline_code_and_loads_from_here_only(
    operator: httpx.AsyncClient, path: str
) -> None:
    found = await operator.get(path, headers=HTML)

    assert found.status_code == 200
    assert found.headers["cache-control"] == "no-store"
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", found.text, re.DOTALL)
    assert scripts
    assert all(" src=" in attributes and not body for attributes, body in scripts)
    for tag, attributes in tags(found.text):
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert not attributes.get("href", "").startswith("javascript:")
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", found.text)
    for source in re.findall(r'src="(/static/[^"]+)"', found.text):
        assert (await operator.get(source)).status_code == 200


async def test_a_viewer_sees_no_buttons_that_are_not_for_viewers(
    viewer: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    for path in ("/failures", "/activity"):
        assert "Retry" not in (await viewer.get(path)).text
        assert 'action="/activity/' not in (await viewer.get(path)).text
    assert (await viewer.get("/upload", headers=HTML)).status_code == 403
    assert "Upload</a>" not in (await viewer.get("/")).text
    assert "Retry the ticked" in (await operator.get("/failures")).text
    assert (await operator.get("/upload")).status_code == 200


async def test_a_failure_shows_its_attempts(viewer: httpx.AsyncClient, library: Library) -> None:
    page = (await viewer.get("/failures?class=invalid")).text

    assert "broken.jpg" in page
    assert "1 attempt" in page
    assert "Nothing has failed" in (await viewer.get("/failures?stage=upload")).text


@pytest.mark.parametrize(
    "fields",
    [
        *({"only": "x"}, {"only": "-1"}, {"only": "9" * 5000}, {"only": "9" * 19}),
        *({"ticked": "1", "item": "1;2"}, {"stage": "all", "all": "1"}, {"path": "\0"}),
    ],
)
async def test_a_wrong_form_starts_nothing(
    operator: httpx.AsyncClient, fields: dict[str, str]
) -> None:
    found = await operator.post("/failures/retry", data=fields, headers=OWN)

    assert found.status_code == 422


async def test_nothing_ticked_is_nothing_retried(operator: httpx.AsyncClient) -> None:
    found = await operator.post("/failures/retry", data={"ticked": "1"}, headers=OWN)

    assert (found.status_code, found.headers["location"]) == (303, "/failures")


async def test_buttons_start_runs(operator: httpx.AsyncClient, viewer: httpx.AsyncClient) -> None:
    failures = (await operator.get("/failures")).text
    item = re.findall(r'name="only" value="(\d+)"', failures)[0]

    retry = await operator.post("/failures/retry", data={"only": item}, headers=OWN)
    embed = await operator.post("/activity/embed", headers=OWN)

    assert retry.headers["location"].startswith("/failures?started=")
    assert embed.headers["location"].startswith("/activity?started=")
    assert (await viewer.post("/activity/process", headers=OWN)).status_code == 403
    assert "Retrying: run" in (await operator.get(retry.headers["location"])).text


async def test_a_picture_s_page_has_what_is_known(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    page = (await viewer.get(f"/picture/{library.digest('same.jpg')}")).text

    assert "320 \u00d7 240" in page
    assert "trip/0.jpg" in page
    assert "same.jpg" in page
    missing = await viewer.get(f"/picture/{'0' * 64}", headers=HTML)
    assert missing.status_code == 404
    assert "<h1>Not Found</h1>" in missing.text


async def test_bytes_that_are_no_utf_8_are_shown_escaped(
    viewer: httpx.AsyncClient, library: Library
) -> None:
    page = await viewer.get("/?from=2040")

    assert "no utf-8 \\udcff.jpg" in page.text or "no utf-8" not in page.text
    (odd,) = [one for one in library.folder.iterdir() if one.name.startswith("no utf-8")]
    shown = await viewer.get(f"/picture/{library.digest(odd.name)}")
    assert "no utf-8 \\udcff.jpg" in shown.text


async def test_notifications_are_unread_until_they_are_read(
    viewer: httpx.AsyncClient, manifest: ServerManifest
) -> None:
    manifest.runs.begin(run_row("run-1"))
    manifest.runs.end("run-1", now=5.0, exit_code=4, summary={})
    shown = " ".join((await viewer.get("/notifications")).text.split())
    assert "ended with exit code 4 <small>run run-1" in shown
    assert 'class="unread"' in (await viewer.get("/notifications")).text

    found = await viewer.post("/notifications/read", headers=OWN)

    assert found.status_code == 303
    assert 'class="unread"' not in (await viewer.get("/notifications")).text


async def test_facts_are_written_as_photographers_do(
    viewer: httpx.AsyncClient, library: Library, manifest: ServerManifest
) -> None:
    sql(
        manifest.path,
        "UPDATE picture SET camera = 'Box', f_number = 2.8, exposure_seconds = 0.004, iso = 100, "
        'focal_length_mm = 50, keywords = \'["sea", "<b>"]\', latitude = 47.5, longitude = 8.25',
    )

    page = (await viewer.get(f"/picture/{library.digest('trip/1.jpg')}")).text

    for fact in ("Box", "f/2.8", "1/250 s", "50 mm", "sea, &lt;b&gt;", "47.50000, 8.25000"):
        assert f"<dd>{fact}</dd>" in page


async def test_counts_are_sent_once_while_nothing_changes(viewer: httpx.AsyncClient) -> None:
    first = await viewer.get("/api/v1/stats")
    again = await viewer.get("/api/v1/stats", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert "bulkup_items" in (await viewer.get("/api/v1/metrics")).text


async def test_a_manifest_that_is_replaced_is_reopened(
    viewer: httpx.AsyncClient, library: Library, manifest: ServerManifest
) -> None:
    shown = f"/picture/{library.digest('trip/1.jpg')}"
    assert (await viewer.get(shown)).status_code == 200
    other = f"{manifest.path}.other"
    library.copied_to(Path(other))
    sql(other, "UPDATE asset SET name = 'restored.jpg' WHERE name = '1.jpg'")
    with closing(sqlite3.connect(manifest.path)) as db, db:
        rows = db.execute("SELECT * FROM token").fetchall()
    with closing(sqlite3.connect(other)) as db, db:
        db.executemany("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    os.replace(other, manifest.path)

    assert "restored.jpg" in (await viewer.get(shown)).text
