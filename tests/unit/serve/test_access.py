"""Who may do what, from which pages, how often, and with bodies of which size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from bulkup.manifest.server import ServerManifest
from bulkup.serve.access import route
from bulkup.serve.app import make_app
from bulkup.serve.context import ServerContext
from bulkup.serve.tokens import Role, add_token
from tests.fakes.clock import FakeClock
from tests.unit.serve.conftest import HOST

LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit")


async def echo(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def fails(_: Request) -> Response:
    raise RuntimeError("secret")


@pytest.fixture
def app(context: ServerContext) -> ASGIApp:
    """With routes that cost nothing to set up."""
    more: tuple[BaseRoute, ...] = (
        route("/echo", echo, role=Role.UPLOADER, methods=["POST"], cost=1, body_bytes=10),
        route("/fails", fails, role=None),
    )
    return make_app(context, more=more)


async def test_a_request_without_a_token_is_a_problem_that_says_so(
    stranger: httpx.AsyncClient,
) -> None:
    found = await stranger.get("/api/v1/stats")

    assert found.status_code == 401
    assert found.headers["content-type"] == "application/problem+json"
    assert found.headers["www-authenticate"].startswith("Bearer")
    assert found.json()["title"] == "Unauthorized"
    assert found.json()["instance"] == "/api/v1/stats"


@pytest.mark.parametrize("sent", ["Bearer wrong", "Bearer ", "Basic eDp5", "Bearer \xff"])
async def test_a_wrong_token_is_none(stranger: httpx.AsyncClient, sent: str) -> None:
    headers = {"authorization": sent.encode("latin-1")}
    found = await stranger.get("/api/v1/stats", headers=headers)

    assert found.status_code == 401


async def test_a_revoked_token_is_refused_from_the_next_request_on(
    stranger: httpx.AsyncClient, manifest: ServerManifest, clock: FakeClock
) -> None:
    token = add_token(manifest.tokens, "x", Role.VIEWER, now=clock.now(), expires_seconds=None)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await stranger.get("/api/v1/stats", headers=headers)).status_code == 200

    manifest.tokens.revoke("x")

    assert (await stranger.get("/api/v1/stats", headers=headers)).status_code == 401


async def test_a_token_ends_when_its_time_is_over(
    stranger: httpx.AsyncClient, manifest: ServerManifest, clock: FakeClock
) -> None:
    token = add_token(manifest.tokens, "x", Role.VIEWER, now=clock.now(), expires_seconds=60)
    headers = {"Authorization": f"Bearer {token}"}

    clock.advance(61)

    assert (await stranger.get("/api/v1/stats", headers=headers)).status_code == 401


async def test_a_smaller_role_is_refused(viewer: httpx.AsyncClient) -> None:
    found = await viewer.post("/api/v1/echo")

    assert found.status_code == 403
    assert "uploader" in found.json()["detail"]


async def test_a_larger_role_includes_the_smaller(operator: httpx.AsyncClient) -> None:
    assert (await operator.post("/api/v1/echo", content=b"123")).json() == {"bytes": 3}


async def test_every_response_has_the_limits_and_the_security_headers(
    viewer: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for found in (
        await viewer.get("/api/v1/stats"),
        await viewer.get("/api/v1/none"),
        await viewer.put("/api/v1/stats"),
        await viewer.get("/api/v1/fails"),
        await stranger.get("/api/v1/stats"),
    ):
        assert [name for name in LIMITS if name not in found.headers] == []
        assert "default-src 'none'" in found.headers["content-security-policy"]
        assert "unsafe" not in found.headers["content-security-policy"]
        assert found.headers["x-content-type-options"] == "nosniff"


async def test_a_bug_is_a_problem_without_its_details(
    viewer: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await viewer.get("/api/v1/fails")

    assert found.status_code == 500
    assert "secret" not in found.text
    assert "secret" in capsys.readouterr().err


async def test_unknown_paths_and_methods_are_problems(viewer: httpx.AsyncClient) -> None:
    for path in ("none", "stats/", "files/x/", "/stats", "", "/"):
        found = await viewer.get(f"/api/v1/{path}")
        assert found.status_code == found.json()["status"] == 404
    found = await viewer.delete("/api/v1/stats")
    assert found.json()["status"] == 405
    assert "GET" in found.headers["allow"]


async def test_after_the_burst_a_token_waits_and_another_does_not(
    uploader: httpx.AsyncClient,
    client_of: Callable[[Role | None], httpx.AsyncClient],
    clock: FakeClock,
) -> None:
    codes = [(await uploader.post("/api/v1/echo")).status_code for _ in range(150)]
    assert codes == [200] * 100 + [429] * 50

    found = await uploader.post("/api/v1/echo")
    assert found.headers["retry-after"] == "6"
    assert found.headers["x-ratelimit-limit"] == "100"
    assert found.headers["x-ratelimit-remaining"] == "0"
    assert found.headers["ratelimit-policy"] == '"default";q=100;w=600'
    assert found.headers["ratelimit"] == '"default";r=0;t=6'
    assert (await client_of(Role.UPLOADER).post("/api/v1/echo")).status_code == 200

    clock.advance(6)
    assert (await uploader.post("/api/v1/echo")).status_code == 200
    assert (await uploader.post("/api/v1/echo")).status_code == 429


async def test_reading_takes_nothing_from_the_bucket(viewer: httpx.AsyncClient) -> None:
    for _ in range(3):
        found = await viewer.get("/api/v1/stats")
    assert found.headers["x-ratelimit-remaining"] == "100"


async def test_too_large_a_body_is_refused(uploader: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"123456"
        yield b"123456"

    assert (await uploader.post("/api/v1/echo", content=b"x" * 11)).status_code == 413
    assert (await uploader.post("/api/v1/echo", content=body())).status_code == 413


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "127.0.0.1@evil.example"),
        *("127.0.0.1, evil.example", "127.0.0.1:80, evil.example", "localhost:evil", "[::1]evil"),
    ],
)
async def test_a_foreign_host_is_refused(viewer: httpx.AsyncClient, host: str) -> None:
    found = await viewer.get("/api/v1/stats", headers={"Host": host})

    assert found.status_code == 421


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765"])
async def test_this_server_s_own_names_are_let_in(viewer: httpx.AsyncClient, host: str) -> None:
    assert (await viewer.get("/api/v1/stats", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{HOST}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_origin_changes_nothing(
    uploader: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await uploader.post("/api/v1/echo", headers=headers)).status_code == 403


async def test_a_cookie_changes_something_only_from_a_page_of_this_server(
    stranger: httpx.AsyncClient, token: Callable[[Role], str]
) -> None:
    cookie = {"Cookie": f"bulkup={token(Role.UPLOADER)}"}
    own = {**cookie, "Origin": f"http://{HOST}"}

    assert (await stranger.get("/api/v1/stats", headers=cookie)).status_code == 200
    assert (await stranger.post("/api/v1/echo", headers=cookie)).status_code == 403
    assert (await stranger.post("/api/v1/echo", headers=own)).status_code == 200


async def test_a_damaged_cookie_is_none(stranger: httpx.AsyncClient) -> None:
    found = await stranger.get("/api/v1/stats", headers={"Cookie": 'bulkup="; \x01=;;'})

    assert found.status_code == 401


async def test_a_body_that_does_not_come_is_not_waited_for(
    uploader: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.serve.access.BODY_SECONDS", 0.01)

    async def body() -> AsyncIterator[bytes]:
        import asyncio

        yield b"1"
        await asyncio.sleep(1)
        yield b"2"

    assert (await uploader.post("/api/v1/echo", content=body())).status_code == 408
