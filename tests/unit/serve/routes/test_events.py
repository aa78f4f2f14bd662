"""Server-sent events over a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from bulkup.errors import ExitCode
from bulkup.manifest.server import ServerManifest
from bulkup.serve.routes import events as module
from bulkup.serve.server import Server
from bulkup.serve.tokens import Role, add_token, revoke_token
from bulkup.settings.table import Settings
from tests.unit.manifest.recording import run_row


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    server = Server(replace(settings, serve=replace(settings.serve, port=0)), {})
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        server.stop("end of the test", ExitCode.DONE)
        await asyncio.wait_for(task, 5)


@asynccontextmanager
async def stream(server: Server, token: str, last: str = "") -> AsyncIterator[asyncio.StreamReader]:
    """The body of GET /events, chunks and all."""
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer %s\r\nLast-Event-ID: %s\r\n\r\n" % (token.encode(), last.encode())
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/event-stream" in head
    assert b"retry: 3000\n" in await reader.readuntil(b"\n\n")
    try:
        yield reader
    finally:
        writer.close()


async def read_event(reader: asyncio.StreamReader, name: str) -> dict[str, str]:
    """The next event of this name: id and data."""
    found: dict[str, str] = {}
    async with asyncio.timeout(10):
        while True:
            line = (await reader.readline()).decode().rstrip()
            field, _, value = line.partition(": ")
            if field in ("id", "event", "data"):
                found[field] = value
            if field == "data" and found["event"] == name:
                return found


@pytest.fixture
def token(manifest: ServerManifest) -> str:
    return add_token(manifest.tokens, "x", Role.VIEWER, now=0.0, expires_seconds=None)


async def test_a_stream_begins_with_stats_and_goes_on_after_a_reconnect(
    settings: Settings, manifest: ServerManifest, token: str
) -> None:
    async with running(settings) as server:
        async with stream(server, token) as reader:
            first = await read_event(reader, "stats")
            assert set(json.loads(first["data"])["phases"]) == {"upload", "process", "embed"}

        manifest.runs.begin(run_row("run-1"))
        manifest.runs.end("run-1", now=5.0, exit_code=0, summary={})

        async with stream(server, token, first["id"]) as reader:
            ended = await read_event(reader, "run_ended")
            assert json.loads(ended["data"])["run"] == "run-1"
        for _ in range(20):
            async with stream(server, token, ended["id"]) as reader:
                await read_event(reader, "stats")


async def test_the_end_of_the_server_ends_the_stream_at_once(
    settings: Settings, token: str
) -> None:
    async with running(settings) as server, stream(server, token) as reader:
        await read_event(reader, "stats")
        server.stop("SIGTERM received", ExitCode.TERMINATED)
        async with asyncio.timeout(2):
            assert (await reader.read()).endswith(b"0\r\n\r\n")


async def test_a_token_that_was_revoked_gets_no_further_event(
    settings: Settings, manifest: ServerManifest, token: str
) -> None:
    async with running(settings) as server, stream(server, token) as reader:
        await read_event(reader, "stats")
        revoke_token(manifest.tokens, "x")
        manifest.runs.begin(run_row("run-1"))
        manifest.runs.end("run-1", now=5.0, exit_code=0, summary={})
        async with asyncio.timeout(10):
            rest = await reader.readuntil(b"\r\n0\r\n\r\n")
    assert b"run-1" not in rest


async def test_the_head_of_a_stream_ends_at_once(settings: Settings, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with running(settings) as server, httpx.AsyncClient(headers=headers) as client:
        async with asyncio.timeout(5):
            found = await client.head(f"{server.url}api/v1/events")
        assert server.listeners == 0
    assert (found.status_code, found.content) == (200, b"")
    assert found.headers["content-type"].startswith("text/event-stream")


async def test_a_silent_stream_has_comments_and_an_end(
    settings: Settings, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMENT_SECONDS", 0.01)
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.03)
    async with running(settings) as server, stream(server, token) as reader:
        async with asyncio.timeout(5):
            whole = await reader.readuntil(b"event: bye")
        assert whole.count(b":\n\n") >= 3
