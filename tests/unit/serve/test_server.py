"""The server on a socket: its bounds, its end, where it may listen."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkup.errors import ExitCode, ManifestError, UsageError
from bulkup.manifest.server import ServerManifest
from bulkup.serve import server as module
from bulkup.serve.server import Server
from bulkup.serve.tokens import Role, add_token
from bulkup.settings.load import load
from bulkup.settings.table import Settings


def settings_of(folder: Path, **serve: object) -> Settings:
    settings = load({"manifest": str(folder / "manifest.db")}, {}, folder, warn=print)
    return replace(settings, serve=replace(settings.serve, **{"port": 0, **serve}))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    server = Server(settings, {})
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        server.stop("end of the test", ExitCode.DONE)
        await asyncio.wait_for(task, 5)


async def exchange(server: Server, sent: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def problem_in(answer: bytes) -> dict[str, Any]:
    """The problem of a raw answer, which has the headers of every other."""
    head, _, body = answer.partition(b"\r\n\r\n")
    names = {line.partition(b":")[0].lower().decode() for line in head.split(b"\r\n")}
    assert {"x-ratelimit-remaining", "ratelimit-policy", "x-content-type-options"} <= names
    assert b"content-type: application/problem+json" in head.lower()
    problem: dict[str, Any] = json.loads(body)
    assert int(head.split()[1]) == problem["status"]
    return problem


async def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as server:
        found = await exchange(
            server, b"GET /api/v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )

    assert found.startswith(b"HTTP/1.1 401 ")


async def test_ten_megabytes_of_headers_are_refused(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as server:
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(10_000))
        found = await exchange(server, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + lines)

    assert found == b"" or found.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 20_000,
        b"GET /sign-in?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 4_000 + b"\r\n",
    ],
    ids=["begun", "target", "header", "headers"],
)
async def test_a_head_that_is_too_large_is_a_problem_that_says_so(
    tmp_path: Path, sent: bytes
) -> None:
    async with running(settings_of(tmp_path)) as server:
        found = await exchange(server, sent)

    assert problem_in(found)["status"] == 431


async def test_connections_beyond_the_bound_are_told_to_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 1)
    request = b"GET /api/v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with running(settings_of(tmp_path)) as server, asyncio.timeout(30):
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        reader, first = await asyncio.open_connection("127.0.0.1", port)
        first.write(request)
        assert b" 401 " in await reader.readline()
        found = await exchange(server, request)
        first.close()

    assert problem_in(found)["status"] == 503
    assert b"retry-after: 5\r\n" in found.lower()


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    tmp_path: Path, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEADER_SECONDS", 0.05)
    async with running(settings_of(tmp_path)) as server, asyncio.timeout(5):
        assert await exchange(server, sent) == b""


async def test_a_client_that_reads_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNREAD_SECONDS", 0.05)
    request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with running(settings_of(tmp_path)) as server:
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            with suppress(ConnectionError):
                async with asyncio.timeout(30):
                    while True:  # until the connection is reset
                        await asyncio.get_running_loop().sock_sendall(client, request)


async def test_a_path_below_which_a_proxy_shows_it(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, root_path="/photos/")) as server:
        assert server.url.endswith("/photos/")
        for path in (b"/photos/sign-in", b"/sign-in"):
            found = await exchange(
                server, b"GET %s HTTP/1.1\r\nHost: x:1\r\nConnection: close\r\n\r\n" % path
            )
            assert found.startswith(b"HTTP/1.1 421 ")
            found = await exchange(
                server, b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path
            )
            assert found.startswith(b"HTTP/1.1 200 ")
            assert b'action="/photos/sign-in"' in found


def test_a_port_in_use_is_a_usage_error(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(UsageError, match="cannot listen"),
    ):
        Server(settings_of(tmp_path, port=other.getsockname()[1]), {})


def test_a_manifest_that_cannot_be_opened_leaves_no_socket_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    (tmp_path / "manifest.db").write_bytes(b"no database" * 100)
    with pytest.raises(ManifestError) as raised:
        Server(settings_of(tmp_path, port=port), {})

    assert raised.traceback  # whose frames hold the server
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


async def test_other_machines_need_a_token(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, host="0.0.0.0")
    with pytest.raises(UsageError, match="no token yet"):
        Server(settings, {})

    with ServerManifest(settings.manifest) as manifest:
        add_token(manifest.tokens, "x", Role.VIEWER, now=0.0, expires_seconds=None)

    async with running(settings) as server:
        assert server.sign_in_link() is None


async def test_this_machine_gets_a_link_for_one_use(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as server:
        link = server.sign_in_link()

    assert link is not None
    assert link.startswith(f"{server.url}sign-in?code=")


@pytest.mark.parametrize(("proxies", "is_secure"), [((), False), (("127.0.0.1",), True)])
async def test_only_a_named_proxy_says_that_the_browser_came_by_https(
    tmp_path: Path, proxies: tuple[str, ...], is_secure: bool
) -> None:
    settings = settings_of(tmp_path, proxies=proxies)
    with ServerManifest(settings.manifest) as manifest:
        token = add_token(manifest.tokens, "x", Role.VIEWER, now=0.0, expires_seconds=None)
    body = f"token={token}".encode()
    async with running(settings) as server:
        found = await exchange(
            server,
            b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n"
            b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 10.0.0.1\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        )

    assert found.startswith(b"HTTP/1.1 303 ")
    assert (b"; Secure" in found) is is_secure


async def test_a_thousand_connects_and_drops_leave_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with ServerManifest(settings.manifest) as manifest:
        token = add_token(manifest.tokens, "x", Role.VIEWER, now=0.0, expires_seconds=None)
    head = (
        f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    async with running(settings) as server:
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])

        async def connect_and_drop() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            await reader.readuntil(b"event: stats")
            writer.close()

        for _ in range(20):
            await asyncio.gather(*(connect_and_drop() for _ in range(50)))
        async with asyncio.timeout(10):
            while server.listeners:  # noqa: ASYNC110 - the server tells nobody that one has gone
                await asyncio.sleep(0)


TWO_LENGTHS = (
    b"POST /api/v1/notifications/read HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
)


@pytest.mark.parametrize(
    "sent",
    [
        TWO_LENGTHS,
        TWO_LENGTHS.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        TWO_LENGTHS.replace(b"Length: 6", b"Length: -6"),
        TWO_LENGTHS.replace(b"Length: 6", b"Length: +6"),
        TWO_LENGTHS.replace(b"chunked", b"xchunked"),
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: other.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_requests_that_could_be_read_in_two_ways_end_the_connection(
    tmp_path: Path, sent: bytes
) -> None:
    async with running(settings_of(tmp_path)) as server, asyncio.timeout(30):
        found = await exchange(server, sent)

    assert problem_in(found)["status"] == 400
    assert found.count(b"HTTP/1.1 ") == 1


async def test_a_client_that_goes_away_in_its_body_is_no_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(tmp_path)
    with ServerManifest(settings.manifest) as manifest:
        token = add_token(
            manifest.tokens, "a", Role.OPERATOR, now=time.time(), expires_seconds=None
        )
    head = (
        "POST /api/v1/notifications/read HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {token}\r\n"
    )
    async with running(settings) as server, asyncio.timeout(30):
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        # Answered after the other was read: the server takes what comes in its order.
        found = await exchange(
            server, f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )

    assert found.startswith(b"HTTP/1.1 200 ")
    assert capfd.readouterr().err == ""
