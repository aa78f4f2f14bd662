"""One connection over HTTP/1.1, one request at a time."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, cast

from bulkup.model import Body
from bulkup.stores.s3.http1 import (
    BODY_LIMIT_BYTES,
    BodyTooLarge,
    HTTPError,
    Response,
    ResponseParser,
)
from bulkup.stores.unsent import unsent_bytes

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


class Expected(NamedTuple):
    """What response is expected."""

    is_head: bool = False
    most_bytes: int = BODY_LIMIT_BYTES
    into: memoryview | None = None  # see ResponseParser


WITH_BODY = Expected()


class Connection(asyncio.BufferedProtocol):
    """One connection. `is_used` says whether it has carried a request before.

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
        self.used_at = self._loop.time()
        self.is_open = False
        self.is_used = False

    def idle_seconds(self) -> float:
        return self._loop.time() - self.used_at

    async def send(
        self,
        request: Body,
        limit_seconds: float,
        expected: Expected = WITH_BODY,
        *,
        body: Body = b"",
    ) -> Response:
        """Send a request, whose `body` may be apart from its head; its response.

        Raises ConnectionBroken, and ConnectionStalled when for `limit_seconds` nothing moved:
        neither the request nor the response."""
        self._parser = ResponseParser(
            is_head=expected.is_head, most_bytes=expected.most_bytes, into=expected.into
        )
        transport = self._transport
        assert transport is not None
        self.is_used = True
        waiter: asyncio.Future[Response] = self._loop.create_future()
        self._waiter = waiter
        self._deadline = self._loop.time() + limit_seconds
        self._limit_seconds, self._unsent_bytes = limit_seconds, len(request) + len(body)
        self._received_bytes = 0
        if self._timer is None:
            self._timer = self._loop.call_later(limit_seconds / LOOKS, self._check_time)
        transport.write(request)
        if body:
            transport.write(body)
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
            self._fail(ConnectionClosed(_how_it_ended(error)))

    # The end of a request --------------------------------------------------------------------

    def _finish(self, response: Response, *, keeps_alive: bool) -> None:
        waiter, self._waiter = self._waiter, None
        self.used_at = self._loop.time()
        assert waiter is not None
        assert self._transport is not None
        # A response may come before the request is sent completely. Of a refused one the kernel
        # may hold the rest, which resets the connection when the server reads no further.
        is_refusal = response.status >= 300
        left_bytes = self._count_unsent() if is_refusal else self._transport.get_write_buffer_size()
        if not keeps_alive or left_bytes:
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


def _how_it_ended(error: Exception | None) -> str:
    if error is None:
        return "the server closed the connection before it had answered"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "the server broke off the connection before it had answered"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the connection broke before the server had answered: {said}"
