"""Large bodies: what counts is that they move, not how long they take."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bulkup.errors import DestinationUnreachable, StoreUnreachable
from bulkup.stores.s3.reqwest_client import ReqwestClient
from tests.unit.stores.raw_server import OK, raw_server

LIMIT = 0.3
"""Seconds: short, and long for this machine's loopback device."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server_of(serve: Serve, limit: int = 1 << 20) -> AsyncIterator[str]:
    """The URL of a server whose connections are handled by `serve`, then closed. It reads twice
    `limit` bytes ahead."""
    tasks = []

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else it takes megabytes
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(tracked, sock=listener, limit=limit)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/b/k"
    finally:
        server.close()
        await asyncio.gather(*tasks)


async def put(url: str, body: bytes) -> int:
    client = ReqwestClient(None, has_tls=False, proxy=None)
    try:
        return (await client.request("PUT", url, {}, body, LIMIT)).status
    finally:
        await client.close()


async def test_a_large_body_arrives_whole_and_with_its_length() -> None:
    body = bytes(range(256)) * 2000
    async with raw_server() as server:
        assert await put(server.url, body) == 200
    assert server.bodies == [body]
    assert server.header("content-length") == [str(len(body))]
    assert server.header("transfer-encoding") == []


async def test_a_slow_body_that_moves_is_not_given_up() -> None:
    """It takes far longer than the limit, which is for a stall."""
    body = bytes(32 << 20)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = len(body)
        while left:
            left -= len(await reader.read(1 << 19))
            await asyncio.sleep(LIMIT / 20)
        writer.write(OK)

    async with server_of(slow) as url:
        began = asyncio.get_running_loop().time()
        assert await put(url, body) == 200
        assert asyncio.get_running_loop().time() - began > 2 * LIMIT


async def test_a_body_that_moves_only_in_the_kernels_buffer_is_not_given_up() -> None:
    """On a slow line it takes minutes until the buffer has room for the next step."""
    body = bytes(5 << 20)

    async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = len(body)
        for _ in range(100):
            left -= len(await reader.readexactly(1 << 14))
            await asyncio.sleep(LIMIT / 20)
        await reader.readexactly(left)
        writer.write(OK)

    async with server_of(trickling, limit=1 << 13) as url:
        assert await put(url, body) == 200


@pytest.mark.parametrize("size_bytes", [1000, 64 << 20])
async def test_a_body_that_stops_moving_is_given_up(size_bytes: int) -> None:
    ended = asyncio.Event()

    async def stalling(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await ended.wait()

    async with server_of(stalling) as url:
        with pytest.raises(StoreUnreachable) as raised:
            await put(url, bytes(size_bytes))
        ended.set()
    assert raised.value.is_stalled


@pytest.mark.parametrize(
    ("resets", "said"), [(False, "closed the connection"), (True, "broke off the connection")]
)
async def test_an_end_of_the_connection_is_told_in_plain_words(resets: bool, said: str) -> None:
    async def ending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if resets:
            linger = struct.pack("ii", 1, 0)
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            await reader.readexactly(1000)

    async with server_of(ending) as url:
        with pytest.raises(StoreUnreachable) as raised:
            await put(url, bytes(1000))
    assert str(raised.value) == f"the server {said} before it had answered"


@pytest.mark.parametrize("proxy", ["http://proxy:port", "http://[::1", "http://proxy:99999"])
async def test_a_proxy_whose_url_is_none_is_the_destinations_trouble(proxy: str) -> None:
    client = ReqwestClient(None, has_tls=False, proxy=proxy)
    with pytest.raises(DestinationUnreachable, match="no usable URL"):
        await client.request("PUT", "http://127.0.0.1:1/b/k", {}, bytes(1 << 20), LIMIT)
    await client.close()


async def test_bodies_of_limited_bandwidth_move_evenly_both_ways() -> None:
    """Not as one burst after which nothing is sent."""
    body, per_second = bytes(60_000), 100_000
    arrived: list[float] = []
    clock = asyncio.get_running_loop().time

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = sum(map(int, re.findall(rb"(?i)content-length: (\d+)", head)))
        while left:
            left -= len(await reader.read(1 << 16))
            arrived.append(clock())
        size = len(body) if head.startswith(b"GET") else 0
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
        await writer.drain()

    async with server_of(serve) as url:
        client = ReqwestClient(None, has_tls=False, proxy=None)
        try:
            assert (await client.request("PUT", url, {}, b"1", LIMIT)).status == 200
            client.bytes_per_second = per_second  # as for a store that was looked at before
            arrived.clear()
            assert (await client.request("PUT", url, {}, body, 10 * LIMIT)).status == 200
            assert arrived[-1] - arrived[0] > 0.2
            began = clock()
            async with client.get(url, {}) as (_, chunks):
                assert b"".join([chunk async for chunk in chunks]) == body
            assert clock() - began > 0.5
        finally:
            await client.close()
