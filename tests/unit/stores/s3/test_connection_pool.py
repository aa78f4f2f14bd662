"""Small bodies: every shape of answer, and what comes of trouble."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bulkup.stores.s3.connections.connection import ConnectionBroken, ConnectionStalled
from bulkup.stores.s3.connections.pool import (
    OPENED_AT_ONCE,
    OPENED_PER_SECOND,
    ConnectionPool,
    NoConnection,
    pool_for,
)
from bulkup.stores.s3.http1 import Response
from tests.servers.certificate import NEEDED
from tests.servers.certificate import make as make_certificate
from tests.servers.packages import missing
from tests.unit.stores.raw_server import OK, answer

LIMIT = 0.2
"""Seconds: short, and long for this machine's loopback device."""
HEADERS = {"x-amz-date": "20260101T000000Z", "authorization": "AWS4 a=b, c=d"}
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def pool_over(
    serve: Serve,
    tls: ssl.SSLContext | None = None,
    *,
    host: str = "127.0.0.1",
    ca_pem: bytes | None = None,
    is_narrow: bool = False,
) -> AsyncIterator[ConnectionPool]:
    """A pool for a server; each of its connections is handled by `serve`, then closed.

    One that `is_narrow` has no megabytes of buffers for what `serve` does not read."""
    tasks = []

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(tracked, host, 0, ssl=tls)
    for listener in server.sockets if is_narrow else ():
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    port = server.sockets[0].getsockname()[1]
    scheme = "https" if tls else "http"
    pool = pool_for(f"{scheme}://{host}:{port}", "example:80", "bulkup/x", ca_pem)
    assert pool is not None
    try:
        yield pool
    finally:
        pool.close()
        server.close()
        await asyncio.gather(*tasks)


def answering(*answers: bytes, heads: list[str] | None = None, once: bool = False) -> Serve:
    """Answers each request on a connection with the next of `answers`, the last one for ever."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\nbody")
            if heads is not None:
                heads.append(head.decode())
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            if once:
                return

    return serve


async def test_a_put_is_sent_whole_and_its_response_returned():
    heads: list[str] = []
    said = answer(412, b"<Error/>", ETag='"E"', X_Many="  two  words ")
    async with pool_over(answering(said, heads=heads)) as pool:
        got = await pool.request("PUT", "/b/k%20?x", HEADERS, b"body", 5.0)
    assert (got.status, got.body) == (412, b"<Error/>")
    assert (got.get_header("etag"), got.get_header("x-many")) == ('"E"', "two  words")
    assert got.get_header("none") is None
    assert got.header_names() == ["content-length", "etag", "x-many"]
    assert heads[0].split("\r\n") == [
        "PUT /b/k%20?x HTTP/1.1",
        "host: example:80",
        "user-agent: bulkup/x",
        "content-length: 4",
        "x-amz-date: 20260101T000000Z",
        "authorization: AWS4 a=b, c=d",
        "",
        "body",
    ]


@pytest.mark.parametrize(
    ("first", "connections"),
    [
        (OK, 1),
        (answer(204), 1),
        (answer(200, connection="close"), 2),
        (answer(200, connection="Close"), 2),
        (OK + b"more than was asked for", 2),
    ],
    ids=["whole", "no content", "close", "Close", "too much"],
)
async def test_a_connection_is_used_again_only_where_that_is_safe(first: bytes, connections: int):
    came = 0
    serve = answering(first)

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await serve(reader, writer)

    async with pool_over(counting) as pool:
        for _ in range(2):
            await pool.request("PUT", "/", {}, b"body", 5.0)
    assert came == connections


async def test_an_answer_to_head_has_no_body():
    """Whatever length it names; and the connection is good for more."""
    heads: list[str] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            is_head = heads[-1].startswith("HEAD ")
            said = answer(200, b"" if is_head else b"listed")
            writer.write(said.replace(b"length: 0", b"length: 9000") if is_head else said)

    async with pool_over(serve) as pool:
        for method, body in (("HEAD", b""), ("GET", b"listed"), ("HEAD", b"")):
            got = await pool.request(method, "/b/k?x=y", HEADERS, b"", 5.0)
            assert (got.status, got.body) == (200, body)
    assert connections == 1
    assert heads[0].split("\r\n")[:4] == [
        "HEAD /b/k?x=y HTTP/1.1",
        "host: example:80",
        "user-agent: bulkup/x",
        "x-amz-date: 20260101T000000Z",
    ]


@pytest.mark.parametrize(("method", "is_asked_again"), [("GET", True), ("PUT", False)])
async def test_a_connection_that_is_closed_as_it_is_used_again(method: str, is_asked_again: bool):
    """What changes nothing is asked once more; a PUT is for those who count tries."""
    asked = 0
    end = b"\r\n\r\n" + (b"body" if method == "PUT" else b"")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(end)
        asked += 1
        writer.write(OK)
        await reader.readuntil(end)
        asked += 1  # and hang up

    async with pool_over(serve) as pool:
        body = b"body" if method == "PUT" else b""
        assert (await pool.request(method, "/", HEADERS, body, 5.0)).status == 200
        if is_asked_again:
            assert (await pool.request(method, "/", HEADERS, body, 5.0)).status == 200
        else:
            with pytest.raises(ConnectionBroken):
                await pool.request(method, "/", HEADERS, body, 5.0)
    assert asked == (3 if is_asked_again else 2)


async def test_a_connection_with_a_body_half_sent_is_not_used_again():
    """The endpoint refused before it had read it all, and might take the rest for a request."""
    came = 0

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a full socket
        writer.write(answer(503))

    async with pool_over(early) as pool:
        for _ in range(2):
            assert (await pool.request("PUT", "/", {}, bytes(32 << 20), 5.0)).status == 503
    assert came == 2


@pytest.mark.parametrize("size_bytes", [2 << 20, 8 << 20])
async def test_a_refusal_is_read_though_the_server_breaks_off_a_photo_s_body(size_bytes: int):
    """What it has not read resets the connection, behind its answer; of the smaller body the kernel
    holds the rest then."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(403))
        await writer.drain()
        writer.close()

    async with pool_over(refuse) as pool:
        for _ in range(5):
            assert (await pool.request("PUT", "/", {}, bytes(size_bytes), 60.0)).status == 403


BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncont",
    "half a body": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
    "another protocol": b"SSH-2.0-x\r\n\r\n",
}


@pytest.mark.parametrize("trouble", BROKEN)
async def test_what_is_no_whole_answer_breaks_the_connection(trouble: str):
    async with pool_over(answering(BROKEN[trouble], OK, once=True)) as pool:
        with pytest.raises(ConnectionBroken):
            await pool.request("PUT", "/", HEADERS, b"body", 5.0)
        assert (await pool.request("PUT", "/", HEADERS, b"body", 5.0)).status == 200


async def test_a_response_that_is_late_breaks_the_connection():
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with pool_over(silent) as pool:
        with pytest.raises(ConnectionBroken, match="in time"):
            await pool.request("PUT", "/", HEADERS, b"body", 0.01)


async def test_a_slow_body_that_moves_is_not_given_up():
    """It takes far longer than the limit, which is for a stall."""
    body = bytes(4 << 20)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = len(body)
        while left:
            left -= len(await reader.read(1 << 16))
            await asyncio.sleep(LIMIT / 20)
        writer.write(OK)

    async with pool_over(slow, is_narrow=True) as pool:
        began = asyncio.get_running_loop().time()
        assert (await pool.request("PUT", "/", HEADERS, body, LIMIT)).status == 200
        assert asyncio.get_running_loop().time() - began > 2 * LIMIT


async def test_a_slow_answer_that_moves_is_not_given_up():
    """A photo over a line that has many of them to carry."""
    body = bytes(range(256)) * 160

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 1024):
            writer.write(body[start : start + 1024])
            await asyncio.sleep(LIMIT / 20)

    async with pool_over(slow) as pool:
        began = asyncio.get_running_loop().time()
        assert (await pool.request("GET", "/", HEADERS, b"", LIMIT)).body == body
        assert asyncio.get_running_loop().time() - began > 1.5 * LIMIT


async def test_a_body_that_stops_moving_is_given_up():
    ended = asyncio.Event()

    async def stalling(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await ended.wait()

    async with pool_over(stalling, is_narrow=True) as pool:
        with pytest.raises(ConnectionStalled):
            await pool.request("PUT", "/", HEADERS, bytes(8 << 20), LIMIT)
        ended.set()


async def test_a_cancelled_request_closes_its_connection():
    came, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\nbody")
        came.set()
        with suppress(ConnectionError):
            await reader.read()
        ended.set()

    async with pool_over(silent) as pool:
        going = asyncio.create_task(pool.request("PUT", "/", {}, b"body", 5.0))
        await came.wait()
        going.cancel()
        await asyncio.wait({going})
        assert going.cancelled()
        await ended.wait()


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "é"])
async def test_headers_that_are_not_plain_are_not_sent(value: str):
    heads: list[str] = []
    async with pool_over(answering(OK, heads=heads)) as pool:
        with pytest.raises(NoConnection):
            await pool.request("PUT", "/", {**HEADERS, "x": value}, b"body", 5.0)
        assert heads == []
        assert (await pool.request("PUT", "/", HEADERS, b"body", 5.0)).status == 200


async def test_a_closed_port_is_no_connection():
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    pool = ConnectionPool("127.0.0.1", port, name="n", agent="a")
    with pytest.raises(NoConnection):
        await pool.request("PUT", "/", HEADERS, b"body", 5.0)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["{}_proxy", "{}_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_is_left_to_pyreqwest(scheme: str, name: str, monkeypatch: pytest.MonkeyPatch):
    origin = f"{scheme}://127.0.0.1:1"
    assert pool_for(origin, "n", "a") is not None
    other = "https" if scheme == "http" else "http"
    if "{}" in name:
        monkeypatch.setenv(name.replace("{}", other), "http://proxy:3128")
        assert pool_for(origin, "n", "a") is not None
    monkeypatch.setenv(name.replace("{}", scheme), "http://proxy:3128")
    assert pool_for(origin, "n", "a") is None
    monkeypatch.setenv("NO_PROXY", "*")
    assert pool_for(origin, "n", "a") is not None


class TLS:
    """A server's side of TLS for 127.0.0.1, and who vouches for it."""

    def __init__(self, directory: Path) -> None:
        certificate = make_certificate(directory)
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(certificate.chain, certificate.key)
        self.ca_pem = b"# ours, \xe9\n" + certificate.ca.read_bytes()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    if missing(NEEDED):
        pytest.skip("needs openssl")
    return TLS(tmp_path_factory.mktemp("tls"))


async def test_over_tls_a_connection_is_used_again(tls: TLS):
    heads: list[str] = []
    connections = 0
    serve = answering(answer(412, b"<Error/>"), OK, heads=heads)

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await serve(reader, writer)

    async with pool_over(counting, tls.server, ca_pem=tls.ca_pem) as pool:
        assert pool.has_tls
        got = [await pool.request("PUT", "/b/k", HEADERS, b"body", 5.0) for _ in range(3)]
    assert [one.status for one in got] == [412, 200, 200]
    assert got[0].body == b"<Error/>"
    assert len(heads) == 3
    assert connections == 1


@pytest.mark.parametrize("has_tls", [False, True])
async def test_a_large_body_is_received_where_it_belongs(has_tls: bool, tls: TLS):
    body = bytes(i * 7 % 251 for i in range(1_000_000))
    answers = [answer(200, body), answer(404, b"<Error/>"), answer(200, b"small")]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(one)
        await writer.drain()

    room = bytearray(len(body))
    context = tls.server if has_tls else None
    async with pool_over(serve, context, ca_pem=tls.ca_pem) as pool:
        limits = (5.0, 2_000_000, memoryview(room))
        got = [await pool.request("GET", "/b/k", HEADERS, b"", *limits) for _ in range(3)]
    assert [one.status for one in got] == [200, 404, 200]
    assert got[0].filled_bytes == len(body)
    assert room == body
    assert got[1].body == b"<Error/>"
    assert b"small" in (got[2].body, bytes(room[:5]))


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("127.0.0.1", False),
        pytest.param(
            "127.0.0.2", True, marks=pytest.mark.skipif(sys.platform != "linux", reason="one lo")
        ),
    ],
    ids=["unknown authority", "another's certificate"],
)
async def test_without_a_certificate_to_trust_nothing_is_sent(host: str, is_known: bool, tls: TLS):
    heads: list[str] = []
    serve = answering(OK, heads=heads)
    ca_pem = tls.ca_pem if is_known else None
    async with pool_over(serve, tls.server, host=host, ca_pem=ca_pem) as pool:
        with pytest.raises(NoConnection):
            await pool.request("PUT", "/", HEADERS, b"body", 5.0)
    assert heads == []


@pytest.mark.parametrize(("said", "connections"), [(b"HTTP/1.1 400 X\r\n\r\n", 1), (b"", 2)])
async def test_where_tls_itself_fails_it_is_not_tried_again(
    said: bytes, connections: int, monkeypatch: pytest.MonkeyPatch
):
    """As it is where the connection fails: pyreqwest's TLS may still succeed."""
    monkeypatch.setattr("bulkup.stores.s3.connections.pool.UNREACHABLE_SECONDS", 0.0)
    seen = 0

    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        await reader.read(100)
        writer.write(said)

    async with pool_over(no_tls) as plain:
        pool = ConnectionPool(plain.host, plain.port, name="n", agent="a", has_tls=True)
        for _ in range(2):
            with pytest.raises(NoConnection):
                await pool.request("PUT", "/", HEADERS, b"body", 5.0)
    assert seen == connections


async def test_requests_take_the_connections_that_were_opened_ahead() -> None:
    begun = asyncio.Semaphore(0)
    connections = 0
    serve_one = answering(OK)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        begun.release()
        await serve_one(reader, writer)

    async with pool_over(serve) as pool:
        pool.connect_ahead(3)
        await pool.connect_ahead(3)  # those are on their way
        for _ in range(3):
            await begun.acquire()
        puts = (pool.request("PUT", "/", HEADERS, b"body", 5.0) for _ in range(3))
        assert [got.status for got in await asyncio.gather(*puts)] == [200, 200, 200]
    assert connections == 3


async def test_a_server_that_cannot_be_reached_ahead_is_the_requests_trouble() -> None:
    server = await asyncio.start_server(answering(OK), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    pool = ConnectionPool("127.0.0.1", port, name="n", agent="a")
    await pool.connect_ahead(2)
    with pytest.raises(NoConnection):
        await pool.request("PUT", "/", HEADERS, b"body", 5.0)


async def test_a_closed_pool_opens_nothing_more() -> None:
    async with pool_over(answering(OK)) as pool:
        ahead = pool.connect_ahead(2)
        pool.close()
        await ahead
        with pytest.raises(NoConnection):
            await pool.request("PUT", "/", HEADERS, b"body", 5.0)


@asynccontextmanager
async def slow_to_accept(tls: TLS, *, refuses: int) -> AsyncIterator[Slow]:
    """A pool whose server takes the first connection, and of the next so many not a byte."""
    slow = Slow()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        slow.connections += 1
        if slow.connections > 1:
            slow.is_asked.set()
        if 1 < slow.connections <= 1 + refuses:
            await reader.read()  # until it is closed
            return
        if slow.connections > 2:
            slow.is_third.set()
        there, here = await asyncio.open_connection(inner.host, inner.port)
        await asyncio.gather(pump(reader, here), pump(there, writer))

    async with (
        pool_over(held_back(slow), tls.server, ca_pem=tls.ca_pem) as inner,
        pool_over(serve) as outer,
    ):
        slow.pool = ConnectionPool(
            outer.host, outer.port, name="n", agent="a", has_tls=True, ca_pem=tls.ca_pem
        )
        yield slow
        slow.pool.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


class Slow:
    """What `slow_to_accept` gives."""

    def __init__(self) -> None:
        self.connections = 0
        self.is_asked = asyncio.Event()  # for the second connection
        self.is_read = asyncio.Event()  # a request
        self.may_answer = asyncio.Event()
        self.is_third = asyncio.Event()
        self.pool: ConnectionPool

    def put(self) -> asyncio.Task[Response]:
        return asyncio.create_task(self.pool.request("PUT", "/", HEADERS, b"body", 5.0))


def held_back(slow: Slow) -> Serve:
    """A server that reads a request, and answers when it may."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"body"):
            slow.is_read.set()
            await slow.may_answer.wait()
            writer.write(OK)

    return serve


async def test_a_request_takes_a_connection_that_is_free_before_its_own_is_open(tls: TLS) -> None:
    async with slow_to_accept(tls, refuses=9) as slow:
        puts = [slow.put(), slow.put()]
        await slow.is_asked.wait()
        assert not any(put.done() for put in puts)
        slow.may_answer.set()
        assert [got.status for got in await asyncio.gather(*puts)] == [200, 200]
        assert slow.connections == 2


async def test_who_waits_for_a_connection_may_be_cancelled(tls: TLS) -> None:
    async with slow_to_accept(tls, refuses=9) as slow:
        first, second, third = slow.put(), slow.put(), slow.put()
        await slow.is_asked.wait()
        second.cancel()
        await asyncio.wait({second})
        slow.may_answer.set()
        assert (await first).status == (await third).status == 200


async def test_a_connection_that_is_not_accepted_in_time_leaves_the_others_in_use(
    tls: TLS, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with slow_to_accept(tls, refuses=1) as slow:
        slow.may_answer.set()
        assert (await slow.put()).status == 200
        monkeypatch.setattr("bulkup.stores.s3.connections.pool.CONNECT_SECONDS", 0.2)
        ahead = asyncio.ensure_future(slow.pool.connect_ahead(2))
        await slow.is_asked.wait()
        assert (await slow.put()).status == 200
        assert isinstance((await ahead)[0], NoConnection)
        slow.may_answer.clear()
        monkeypatch.undo()
        puts = [slow.put(), slow.put()]
        await slow.is_third.wait()
        slow.may_answer.set()
        assert [got.status for got in await asyncio.gather(*puts)] == [200, 200]


async def test_many_connections_are_not_opened_at_once() -> None:
    count = 3 * OPENED_AT_ONCE
    async with pool_over(answering(OK)) as pool:
        began = asyncio.get_running_loop().time()
        await pool.connect_ahead(count)
        seconds = asyncio.get_running_loop().time() - began
        assert seconds >= 1.9 * OPENED_AT_ONCE / OPENED_PER_SECOND


async def test_who_waits_when_the_pool_is_closed_learns_it(tls: TLS) -> None:
    async with slow_to_accept(tls, refuses=9) as slow:
        first, second = slow.put(), slow.put()
        await slow.is_read.wait()
        await slow.is_asked.wait()
        slow.pool.close()
        with pytest.raises(NoConnection):
            await second
        slow.may_answer.set()
        assert (await first).status == 200


async def test_over_tls_fewer_connections_are_opened_ahead(
    tls: TLS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulkup.stores.s3.connections.pool.TLS_AHEAD", 2)
    seen = 0
    serve_one = answering(OK)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        await serve_one(reader, writer)

    async with pool_over(serve, tls.server, ca_pem=tls.ca_pem) as pool:
        await pool.connect_ahead(5)
        puts = (pool.request("PUT", "/", HEADERS, b"body", 5.0) for _ in range(2))
        assert [got.status for got in await asyncio.gather(*puts)] == [200, 200]
    assert seen == 2
