"""Small requests over HTTP/1.1, in the event loop's own thread.

A request of 20 KiB costs pyreqwest twice the CPU time: it hands each one to another thread and
back. This pool takes simple requests only: no proxy, body and response small enough for memory.
All others are pyreqwest's, and so are hosts that the pool cannot connect to or whose certificate it
does not trust: pyreqwest has more ways to connect, and better error messages.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from ssl import SSLContext, SSLError
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from bulkup.model import Body
from bulkup.proxies import proxy_for
from bulkup.stores.s3.http1 import (
    BODY_LIMIT_BYTES,
    BodyTooLarge,
    HTTPError,
    Response,
    ResponseParser,
    common_lines,
    request_head,
)
from bulkup.stores.s3.tls import tls_context
from bulkup.stores.unsent import unsent_bytes

CONNECT_SECONDS = 3.0
"""After that pyreqwest tries; it also tries several addresses at the same time."""

UNREACHABLE_SECONDS = 30.0
"""How long pyreqwest gets all requests after a failed connection. A failure of TLS lasts: pyreqwest
has another TLS library, and other ways to find the system's authorities."""

IDLE_SECONDS = 20.0
"""Less than the keep-alive limit of common servers."""

READ_BYTES = 1 << 18
"""What is read of a connection at once, unless it is known where it belongs."""

PROGRESS_BYTES = 256
LOOKS = 4
"""A request is looked at so often within its limit. A body of which fewer bytes moved since the
last look stands still."""


class ConnectionBroken(Exception):
    """The request was sent, at least in part, and no complete response came."""


class ConnectionClosed(ConnectionBroken):
    """The server closed the connection."""


class ConnectionStalled(ConnectionBroken):
    """Nothing moved on the connection for as long as is waited."""


class AnswerTooLarge(ConnectionBroken):
    """The response has more bytes than are wanted."""


class NoConnection(Exception):
    """Nothing was sent: no connection, or headers that are not plain text."""


class _Kind(NamedTuple):
    """What response is expected."""

    is_head: bool = False
    most_bytes: int = BODY_LIMIT_BYTES
    into: memoryview | None = None  # see ResponseParser


_WITH_BODY = _Kind()


class ConnectionPool:
    """Connections to one host. For use from one event loop."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        name: str,
        agent: str,
        has_tls: bool = False,
        ca_pem: bytes | None = None,
    ) -> None:
        """`name` is the Host header as sent; with TLS `ca_pem` is trusted besides the system's
        authorities."""
        self.host = host
        self.port = port
        self.has_tls = has_tls
        self._ca_pem = ca_pem
        self._context: asyncio.Future[SSLContext] | None = None
        self._common = common_lines(name, agent)
        self._idle: list[_Connection] = []
        self._opening: set[asyncio.Future[None]] = set()  # connections that will be idle
        self._unreachable_until = 0.0  # on the loop's clock
        self._is_closed = False
        self._scratch = memoryview(bytearray(READ_BYTES))

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Body,
        limit_seconds: float,
        most_bytes: int = BODY_LIMIT_BYTES,
        into: memoryview | None = None,
    ) -> Response:
        """Send one request; its response, with a body of `most_bytes` or less, which may be written
        `into`. Raises NoConnection, ConnectionBroken.

        The server may close a connection at the moment it is used again: then a HEAD or GET is sent
        once more, over a new one.
        """
        head = request_head(method, path, self._common, headers, len(body))
        if head is None:
            raise NoConnection
        if method == "PUT":
            return await self.send(b"".join((head, body)), limit_seconds)
        kind = _Kind(method == "HEAD", most_bytes, into)
        connection = self._take_idle()
        if connection is not None:
            with suppress(ConnectionClosed):
                response = await connection.send(head, limit_seconds, kind)
                self._put_back(connection)
                return response
        connection = await self._connect()
        response = await connection.send(head, limit_seconds, kind)
        self._put_back(connection)
        return response

    async def send(self, request: Body, limit_seconds: float) -> Response:
        """Send one whole PUT request; its response. Raises NoConnection, ConnectionBroken."""
        connection = self._take_idle() or await self._connect()
        response = await connection.send(request, limit_seconds)
        self._put_back(connection)
        return response

    def connect_ahead(self, count: int) -> Awaitable[object]:
        """Open connections in the background until so many are idle: the way there and back, with
        TLS several times, is then behind the requests that take them. Done when they are there."""
        for _ in range(count - len(self._idle) - len(self._opening)):
            opening = asyncio.ensure_future(self._open_idle())
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        return asyncio.gather(*self._opening, return_exceptions=True)

    async def _open_idle(self) -> None:
        with suppress(NoConnection):  # the requests will say so
            self._put_back(await self._connect())

    def close(self) -> None:
        """Close all connections; those in use after their response."""
        self._is_closed = True
        for opening in self._opening:
            opening.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _put_back(self, connection: _Connection) -> None:
        if self._is_closed:
            connection.close()
        elif connection.is_open:
            self._idle.append(connection)

    def _take_idle(self) -> _Connection | None:
        """The connection that was used last. Those that have been idle for long are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_seconds() < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._is_closed or loop.time() < self._unreachable_until:
            raise NoConnection
        try:
            tls = await self._tls() if self.has_tls else None
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    partial(_Connection, self._scratch), self.host, self.port, ssl=tls
                )
        except OSError as error:  # also TimeoutError
            lasts = isinstance(error, SSLError)
            self._unreachable_until = inf if lasts else loop.time() + UNREACHABLE_SECONDS
            raise NoConnection from error
        return connection

    async def _tls(self) -> SSLContext:
        """Made once, in a thread, for all connections. Raises OSError."""
        if self._context is None:
            self._context = asyncio.ensure_future(asyncio.to_thread(tls_context, self._ca_pem))
        return await asyncio.shield(self._context)


def pool_for(
    origin: str, name: str, agent: str, ca_pem: bytes | None = None
) -> ConnectionPool | None:
    """A pool for `origin` (scheme://host[:port]); None when requests to it take a proxy."""
    parts = urlsplit(origin)
    if parts.hostname is None or proxy_for(origin, os.environ) is not None:
        return None
    has_tls = parts.scheme == "https"
    port = parts.port or (443 if has_tls else 80)
    return ConnectionPool(
        parts.hostname, port, name=name, agent=agent, has_tls=has_tls, ca_pem=ca_pem
    )


class _Connection(asyncio.BufferedProtocol):
    """One connection, one request at a time.

    The loop fills the buffer and says so in one step, so that all connections share `scratch`.
    """

    def __init__(self, scratch: memoryview) -> None:
        self._scratch = scratch
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._parser = ResponseParser()
        self._deadline = 0.0
        self._limit_seconds = 0.0
        self._unsent_bytes = 0  # when last looked at
        self._received_bytes = 0  # since then
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = self._loop.time()
        self.is_open = False

    def idle_seconds(self) -> float:
        return self._loop.time() - self._used_at

    async def send(self, request: Body, limit_seconds: float, kind: _Kind = _WITH_BODY) -> Response:
        """Send a request; its response. Raises ConnectionBroken, and ConnectionStalled when for
        `limit_seconds` nothing moved: neither the request nor the response."""
        self._parser = ResponseParser(
            is_head=kind.is_head, most_bytes=kind.most_bytes, into=kind.into
        )
        transport = self._transport
        assert transport is not None
        waiter: asyncio.Future[Response] = self._loop.create_future()
        self._waiter = waiter
        self._deadline = self._loop.time() + limit_seconds
        self._limit_seconds, self._unsent_bytes = limit_seconds, len(request)
        self._received_bytes = 0
        if self._timer is None:
            self._timer = self._loop.call_later(limit_seconds / LOOKS, self._check_time)
        transport.write(request)
        try:
            return await waiter
        except BaseException:  # cancelled or broken: what comes next would be unknown
            self.close()
            raise

    def close(self) -> None:
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._parser.rest or self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        if self._waiter is None or self._waiter.done():  # nothing was asked
            self.close()
            return
        self._received_bytes += nbytes
        parser = self._parser
        try:
            if parser.rest is not None:
                response = parser.advance(nbytes)
            else:
                response = parser.feed(bytes(self._scratch[:nbytes]))
        except BodyTooLarge as error:
            self._fail(AnswerTooLarge(str(error)))
            return
        except HTTPError as error:
            self._fail(ConnectionBroken(f"the response is no HTTP: {error}"))
            return
        if response is not None:
            self._finish(response, keeps_alive=self._parser.keeps_alive)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._waiter is None or self._waiter.done():
            return
        response = self._parser.end() if error is None else None
        if response is not None:
            self._finish(response, keeps_alive=False)
        else:
            reason = f"the connection was closed before the response came: {error or 'no error'}"
            self._fail(ConnectionClosed(reason))

    # The end of a request --------------------------------------------------------------------

    def _finish(self, response: Response, *, keeps_alive: bool) -> None:
        waiter, self._waiter = self._waiter, None
        self._used_at = self._loop.time()
        assert waiter is not None
        assert self._transport is not None
        # A response may come before the request is sent completely
        if not keeps_alive or self._transport.get_write_buffer_size():
            self.close()
        waiter.set_result(response)

    def _fail(self, error: ConnectionBroken) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.close()

    def _check_time(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        now, left_bytes = self._loop.time(), self._count_unsent()
        if self._unsent_bytes - left_bytes + self._received_bytes >= PROGRESS_BYTES:
            self._unsent_bytes, self._received_bytes = left_bytes, 0
            self._deadline = now + self._limit_seconds
        if now >= self._deadline:
            self._fail(ConnectionStalled("no response came in time"))
        else:
            self._timer = self._loop.call_later(self._limit_seconds / LOOKS, self._check_time)

    def _count_unsent(self) -> int:
        """Bytes of the request that the other side has not acknowledged, where the kernel tells."""
        assert self._transport is not None
        buffered_bytes = self._transport.get_write_buffer_size()
        if not self.is_open:
            return buffered_bytes
        return buffered_bytes + unsent_bytes(self._transport.get_extra_info("socket").fileno())
