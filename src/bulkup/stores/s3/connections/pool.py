"""Small requests over HTTP/1.1, in the event loop's own thread.

A request of 20 KiB costs pyreqwest twice the CPU time: it hands each one to another thread and
back. This pool takes simple requests only: no proxy, body and response small enough for memory.
All others are pyreqwest's, and so are hosts that the pool cannot connect to or whose certificate it
does not trust: pyreqwest has more ways to connect, and better error messages.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from ssl import SSLContext, SSLError
from urllib.parse import urlsplit

from bulkup.model import Body
from bulkup.proxies import proxy_for
from bulkup.stores.s3.connections.connection import Connection, ConnectionClosed, Expected
from bulkup.stores.s3.connections.tls import tls_context
from bulkup.stores.s3.http1 import BODY_LIMIT_BYTES, Response, common_lines, request_head

CONNECT_SECONDS = 3.0
"""After that pyreqwest tries; it also tries several addresses at the same time."""

UNREACHABLE_SECONDS = 30.0
"""How long pyreqwest gets all requests after a failed connection. A failure of TLS lasts: pyreqwest
has another TLS library, and other ways to find the system's authorities."""

IDLE_SECONDS = 20.0
"""Less than the keep-alive limit of common servers."""

READ_BYTES = 1 << 18
"""What is read of a connection at once, unless it is known where it belongs."""

JOINED_BYTES = 1 << 16
"""Up to this size a copy of the body costs less than a write of its own."""

OPENED_PER_SECOND = 6400.0
OPENED_AT_ONCE = 64
"""A server accepts connections one after the other, and common ones keep 128 waiting: of those
beyond, the kernel answers none, and asks again after a second."""


TLS_AHEAD = 128
"""A handshake of TLS costs as much CPU time as some requests: more are opened when they are needed.
"""


class NoConnection(Exception):
    """Nothing was sent: no connection, or headers that are not plain text."""


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
        self._idle: list[Connection] = []
        self._opening: set[asyncio.Future[None]] = set()  # connections that will be idle
        self._waiting: deque[asyncio.Future[Connection]] = deque()  # for the next that is idle
        self._turn_at = 0.0  # when the next one is opened; this and the next on the loop's clock
        self._answered_at = -inf
        self._unreachable_until = 0.0
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
        if method == "PUT" and len(body) <= JOINED_BYTES:
            return await self.send(b"".join((head, body)), limit_seconds)
        if method == "PUT":
            return await self.send(head, limit_seconds, body)
        expected = Expected(method == "HEAD", most_bytes, into)
        connection = await self._take()
        if connection.is_used:
            with suppress(ConnectionClosed):
                return await self._exchange(connection, head, limit_seconds, expected)
            connection = await self._connect()
        return await self._exchange(connection, head, limit_seconds, expected)

    async def send(self, request: Body, limit_seconds: float, body: Body = b"") -> Response:
        """Send one PUT request, whose body may be apart; its response. Raises NoConnection,
        ConnectionBroken."""
        connection = self._take_idle() or await self._take()
        response = await connection.send(request, limit_seconds, body=body)
        self._put_back(connection)
        return response

    def connect_ahead(self, count: int) -> Awaitable[object]:
        """Open connections in the background until so many are idle: the way there and back, with
        TLS several times, is then behind the requests that take them. Done when they are there."""
        ahead = len(self._idle) + len(self._opening) - len(self._waiting)
        most = min(count, TLS_AHEAD) if self.has_tls else count
        for _ in range(most - ahead):
            self._begin_opening()
        return asyncio.gather(*self._opening, return_exceptions=True)

    def close(self) -> None:
        """Close all connections; those in use after their response."""
        self._is_closed = True
        for opening in self._opening:
            opening.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _exchange(
        self, connection: Connection, request: Body, limit_seconds: float, expected: Expected
    ) -> Response:
        response = await connection.send(request, limit_seconds, expected)
        self._put_back(connection)
        return response

    async def _take(self) -> Connection:
        """An idle connection, else the first that is opened or put back: a server may be slow to
        accept one, and quick with what it has accepted."""
        connection = self._take_idle()
        if connection is not None:
            return connection
        self._require_reachable()
        turn: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if len(self._opening) < len(self._waiting):
            self._begin_opening()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    self._waiting.remove(turn)
            elif turn.exception() is None:
                self._put_back(turn.result())
            raise

    def _put_back(self, connection: Connection) -> None:
        if self._is_closed:
            connection.close()
        elif connection.is_open:
            self._answered_at = connection.used_at
            if self._waiting and (turn := self._next_turn()) is not None:
                turn.set_result(connection)
            else:
                self._idle.append(connection)

    def _next_turn(self) -> asyncio.Future[Connection] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else cancelled just now
                return turn
        return None

    def _take_idle(self) -> Connection | None:
        """The connection that was used last. Those that have been idle for long are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_seconds() < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _begin_opening(self) -> None:
        opening = asyncio.ensure_future(self._open_idle())
        self._opening.add(opening)
        opening.add_done_callback(self._end_opening)

    async def _open_idle(self) -> None:
        await self._wait_for_turn()
        self._put_back(await self._connect())

    def _end_opening(self, opening: asyncio.Future[None]) -> None:
        """Each who waits has one that is being opened, or learns why there is none."""
        self._opening.discard(opening)
        error = NoConnection() if opening.cancelled() else opening.exception()
        if len(self._opening) >= len(self._waiting):
            return
        if error is None:
            self._begin_opening()
        elif (turn := self._next_turn()) is not None:
            turn.set_exception(error)

    async def _wait_for_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        turn_at = max(self._turn_at, now - OPENED_AT_ONCE / OPENED_PER_SECOND)
        self._turn_at = turn_at + 1 / OPENED_PER_SECOND
        if turn_at > now:
            await asyncio.sleep(turn_at - now)

    def _require_reachable(self) -> None:
        if self._is_closed or asyncio.get_running_loop().time() < self._unreachable_until:
            raise NoConnection

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        self._require_reachable()
        began = loop.time()
        try:
            tls = await self._tls() if self.has_tls else None
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    partial(Connection, self._scratch), self.host, self.port, ssl=tls
                )
        except OSError as error:  # also TimeoutError
            if isinstance(error, SSLError):
                self._unreachable_until = inf
            elif self._answered_at < began:  # else it is busy
                self._unreachable_until = loop.time() + UNREACHABLE_SECONDS
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
