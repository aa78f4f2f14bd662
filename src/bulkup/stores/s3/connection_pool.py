"""Small requests over HTTP/1.1, in the event loop's own thread.

A request of 20 KiB costs pyreqwest twice what it costs here: there it goes to another thread and
comes back. Only what is simple goes this way: what needs no proxy, its body and its answer small
enough to be held. All else is pyreqwest's, and so is whatever cannot be connected or does not show
a certificate to trust: it knows more ways, and says better what is wrong.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from ssl import SSLContext, SSLError
from typing import cast
from urllib.parse import urlsplit

from bulkup.model import Body
from bulkup.stores.s3.heads import fixed_lines, head_of
from bulkup.stores.s3.http1 import Answer, read_answer
from bulkup.stores.s3.tls import tls_context

CONNECT_SECONDS = 3.0
"""Then pyreqwest tries; it also goes through several addresses at once."""

UNREACHABLE_SECONDS = 30.0
"""After a connection that failed, pyreqwest has all requests for so long; for good, where TLS is
what failed: it has another TLS, and other ways to find the system's authorities."""

IDLE_SECONDS = 20.0
"""Below the keep-alive limit of common servers."""


class ConnectionBroken(Exception):
    """The request was sent, in part at least, and no whole answer came."""


class LaneClosed(ConnectionBroken):
    """Of these: the other side closed the connection."""


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
        """`name` is the Host header as sent; over TLS `ca_pem` is trusted as well as the system's
        authorities."""
        self.host = host
        self.port = port
        self.has_tls = has_tls
        self._ca_pem = ca_pem
        self._context: asyncio.Future[SSLContext] | None = None
        self._fixed = fixed_lines(name, agent)
        self._idle: list[_Connection] = []
        self._unreachable_until = 0.0  # on the loop's clock
        self._is_closed = False

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Body,
        limit_seconds: float,
    ) -> Answer:
        """One request and its answer. Raises NoLane, LaneBroken.

        A connection may be closed at the very moment it is used again. What changes nothing is
        asked once more, then, over a new one.
        """
        head = head_of(method, path, self._fixed, headers, len(body))
        if head is None:
            raise NoConnection
        if method == "PUT":
            return await self.send(b"".join((head, body)), limit_seconds)
        connection = self._free()
        if connection is not None:
            with suppress(LaneClosed):
                return await self._use(connection, head, limit_seconds, is_head=method == "HEAD")
        connection = await self._connect()
        return await self._use(connection, head, limit_seconds, is_head=method == "HEAD")

    async def send(self, request: Body, limit_seconds: float) -> Answer:
        """One whole PUT and its answer. Raises NoLane, LaneBroken."""
        return await self._use(self._free() or await self._connect(), request, limit_seconds)

    async def _use(
        self,
        connection: _Connection,
        request: Body,
        limit_seconds: float,
        *,
        is_head: bool = False,
    ) -> Answer:
        answer = await connection.ask(request, limit_seconds, is_head=is_head)
        if not connection.is_open:
            pass
        elif self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close all connections; those in use after their answer."""
        self._is_closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _free(self) -> _Connection | None:
        """The connection that was used last; those that were not used for long are closed."""
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
                    _Connection, self.host, self.port, ssl=tls
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


def lanes_to(
    origin: str, name: str, agent: str, ca_pem: bytes | None = None
) -> ConnectionPool | None:
    """Lanes to `origin` (scheme://host[:port]); None where a proxy is set."""
    parts = urlsplit(origin)
    if parts.hostname is None or _has_proxy(parts.scheme):
        return None
    has_tls = parts.scheme == "https"
    port = parts.port or (443 if has_tls else 80)
    return ConnectionPool(
        parts.hostname, port, name=name, agent=agent, has_tls=has_tls, ca_pem=ca_pem
    )


def _has_proxy(scheme: str) -> bool:
    """Whether pyreqwest might go through a proxy; NO_PROXY is for it to read."""
    if sys.platform in ("darwin", "win32"):  # they have proxies that are not in the environment
        from urllib.request import getproxies

        return bool(getproxies())
    return any(name.lower() in (f"{scheme}_proxy", "all_proxy") for name in os.environ)


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""
        self._is_head = False  # asked for; its answer has no body
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = self._loop.time()
        self.is_open = False

    def idle_seconds(self) -> float:
        return self._loop.time() - self._used_at

    async def ask(self, request: Body, limit_seconds: float, *, is_head: bool) -> Answer:
        """Send a request; its answer. Raises LaneBroken."""
        self._is_head = is_head
        transport = self._transport
        assert transport is not None
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._deadline = self._loop.time() + limit_seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._check_time)
        transport.write(request)
        try:
            return await answer
        except BaseException:  # cancelled, or broken: nobody knows what would come next
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

    def data_received(self, data: bytes) -> None:
        waiting = self._answer
        if waiting is None or waiting.done():  # nothing was asked
            self.close()
            return
        self._received = received = self._received + data if self._received else data
        try:
            found = read_answer(received, is_head=self._is_head, is_over=False)
        except ValueError as error:
            self._break(ConnectionBroken(f"the answer is no HTTP: {error}"))
            return
        if found is not None:
            answer, keeps, length = found
            self._end(answer, keeps=keeps and length == len(received))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        waiting = self._answer
        if waiting is None or waiting.done():
            return
        try:
            found = read_answer(self._received, is_head=self._is_head, is_over=True)
        except ValueError:
            found = None
        if found is not None:
            self._end(found[0], keeps=False)
        else:
            reason = f"the connection was closed before the answer came: {error or 'no error'}"
            self._break(LaneClosed(reason))

    # The end of a request --------------------------------------------------------------------

    def _end(self, answer: Answer, *, keeps: bool) -> None:
        waiting, self._answer = self._answer, None
        self._received = b""
        self._used_at = self._loop.time()
        assert waiting is not None
        assert self._transport is not None
        if not keeps or self._transport.get_write_buffer_size():  # answered before it was all sent
            self.close()
        waiting.set_result(answer)

    def _break(self, error: ConnectionBroken) -> None:
        waiting, self._answer = self._answer, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
        self.close()

    def _check_time(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() >= self._deadline:
            self._break(ConnectionBroken("no answer came in time"))
        else:
            self._timer = self._loop.call_at(self._deadline, self._check_time)
