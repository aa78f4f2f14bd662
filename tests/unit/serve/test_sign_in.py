"""How a browser gets its cookie, and loses it."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from bulkup.manifest.server import ServerManifest
from bulkup.serve.context import ServerContext
from bulkup.serve.tokens import Role, digest_of
from tests.fakes.clock import FakeClock
from tests.unit.serve.conftest import HOST

OWN = {"Origin": f"http://{HOST}"}


async def test_a_one_time_link_signs_in_once(
    stranger: httpx.AsyncClient, context: ServerContext
) -> None:
    context.one_time_codes.add(digest_of("code"))

    found = await stranger.get("/sign-in?code=code")

    assert (found.status_code, found.headers["location"]) == (303, "/")
    cookie = found.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await stranger.get("/api/v1/stats")).status_code == 200
    assert (await stranger.get("/sign-in?code=code")).status_code == 401


async def test_a_wrong_code_signs_nobody_in(stranger: httpx.AsyncClient) -> None:
    found = await stranger.get("/sign-in?code=<script>")

    assert found.status_code == 401
    assert "set-cookie" not in found.headers
    assert "<script>" not in found.text


async def test_a_token_signs_in_with_its_role(
    stranger: httpx.AsyncClient, token: Callable[[Role], str]
) -> None:
    found = await stranger.post("/sign-in", data={"token": token(Role.VIEWER)}, headers=OWN)

    assert found.status_code == 303
    assert (await stranger.get("/api/v1/stats")).status_code == 200


async def test_a_wrong_token_shows_the_form_again(stranger: httpx.AsyncClient) -> None:
    browser = {**OWN, "Accept": "text/html"}
    found = await stranger.post("/sign-in", data={"token": "no"}, headers=browser)

    assert found.status_code == 401
    assert "<form" in found.text
    assert "no valid token" in found.text


async def test_a_program_s_wrong_token_is_a_problem(stranger: httpx.AsyncClient) -> None:
    found = await stranger.post("/sign-in", data={"token": "no"}, headers=OWN)

    assert found.status_code == 401
    assert found.json()["detail"] == "This is no valid token."


async def test_guesses_are_bounded(stranger: httpx.AsyncClient) -> None:
    for _ in range(101):
        found = await stranger.post("/sign-in", data={"token": "no"}, headers=OWN)

    assert found.status_code == 429


async def test_signing_out_ends_a_browser_s_cookie(
    stranger: httpx.AsyncClient, context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    context.one_time_codes.add(digest_of("code"))
    await stranger.get("/sign-in?code=code")
    assert len(manifest.tokens.all(now=clock.now())) == 1

    await stranger.post("/sign-out", headers=OWN)

    assert manifest.tokens.all(now=clock.now()) == []
    assert (await stranger.get("/api/v1/stats")).status_code == 401


async def test_signing_out_keeps_a_token_that_was_typed_in(
    stranger: httpx.AsyncClient,
    token: Callable[[Role], str],
    manifest: ServerManifest,
    clock: FakeClock,
) -> None:
    await stranger.post("/sign-in", data={"token": token(Role.VIEWER)}, headers=OWN)

    await stranger.post("/sign-out", headers=OWN)

    assert (await stranger.get("/api/v1/stats")).status_code == 401
    assert len(manifest.tokens.all(now=clock.now())) == 1


async def test_a_browser_without_a_cookie_is_led_to_the_form(stranger: httpx.AsyncClient) -> None:
    found = await stranger.get("/static/x/none.js", headers={"Accept": "text/html"})
    assert found.status_code == 404
    assert "<h1>Not Found</h1>" in found.text


async def test_the_form_has_its_style_and_no_inline_code(stranger: httpx.AsyncClient) -> None:
    found = await stranger.get("/sign-in")

    assert found.status_code == 200
    style = found.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert (await stranger.get(style)).headers["content-type"].startswith("text/css")
    assert "<style" not in found.text
    assert "onclick" not in found.text
