"""Small bodies over plain HTTP, in the event loop's own thread.

A request of 20 KiB costs pyreqwest twice what it costs here: there it goes to another thread and
comes back. Only what is simple goes this way: HTTP/1.1 without TLS or a proxy, a PUT with a body
that fits a socket's buffer or nearly, an answer that is small. All else is pyreqwest's, and so is
whatever cannot be connected: it knows more ways, and says better what is wrong.

Source: RFC 9112 (HTTP/1.1), sections 4, 6 and 7.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast
from urllib.request import getproxies

CONNECT_SECONDS = 3.0
"""Then pyreqwest tries; it also goes through several addresses at once."""

IDLE_SECONDS = 20.0
"""Below the keep-alive limit of common servers."""

HEAD_LIMIT_BYTES = 1 << 18


class LaneBroken(Exception):
    """The request was sent, in part at least, and no whole answer came."""


class NoLane(Exception):
    """Nothing was sent: no connection, or headers that are not plain text."""


class Answer:
    """A whole answer, read as pyreqwest's Response is."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers  # by lower-case name; of several the last
        self._body = body

    def get_header(self, name: str) -> str | None:
        """The header's value; `name` is lower case."""
        return self.headers.get(name)

    async def bytes(self) -> bytes:
        """The body, all of it."""
        return self._body


class Lanes:
    """Connections to one host. For use from one event loop."""

    def __init__(self, host: str, port: int, *, name: str, agent: str) -> None:
        """`name` is the Host header as sent."""
        self._host = host
        self._port = port
        self._fixed = f" HTTP/1.1\r\nhost: {name}\r\nuser-agent: {agent}\r\n"
        self._idle: list[_Lane] = []

    async def put(
        self, path: str, headers: Mapping[str, str], body: bytes, limit_seconds: float
    ) -> Answer:
        """One PUT and its answer. Raises NoLane, LaneBroken."""
        head = "\r\n".join([f"{name}: {value}" for name, value in headers.items()])
        lines = f"{path}{head}"
        if not lines.isascii() or not lines.replace("\r\n", "", len(headers) - 1).isprintable():
            raise NoLane
        start = f"PUT {path}{self._fixed}content-length: {len(body)}\r\n{head}\r\n\r\n"
        lane = self._free() or await self._connect()
        answer = await lane.ask(start.encode("ascii"), body, limit_seconds)
        if lane.is_open:
            self._idle.append(lane)
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        for lane in self._idle:
            lane.close()
        self._idle.clear()

    def _free(self) -> _Lane | None:
        """The connection that was used last; those that were not used for long are closed."""
        while self._idle:
            lane = self._idle.pop()
            if lane.is_open and lane.idle_seconds() < IDLE_SECONDS:
                return lane
            lane.close()
        return None

    async def _connect(self) -> _Lane:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, lane = await loop.create_connection(_Lane, self._host, self._port)
        except OSError as error:  # also TimeoutError
            raise NoLane from error
        return lane


def may_go_direct() -> bool:
    """Whether no proxy is set that pyreqwest would go through."""
    return not {"http", "all"} & getproxies().keys()


class _Lane(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = self._loop.time()
        self.is_open = False

    def idle_seconds(self) -> float:
        return self._loop.time() - self._used_at

    async def ask(self, head: bytes, body: bytes, limit_seconds: float) -> Answer:
        """Send a request; its answer. Raises LaneBroken."""
        transport = self._transport
        assert transport is not None
        self._answer = answer = self._loop.create_future()
        self._deadline = self._loop.time() + limit_seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._check_time)
        transport.write(head + body)
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
            found = _read(received, is_over=False)
        except ValueError as error:
            self._break(f"the answer is no HTTP: {error}")
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
            found = _read(self._received, is_over=True)
        except ValueError:
            found = None
        if found is not None:
            self._end(found[0], keeps=False)
        else:
            self._break(f"the connection was closed before the answer came: {error or 'no error'}")

    # The end of a request --------------------------------------------------------------------

    def _end(self, answer: Answer, *, keeps: bool) -> None:
        waiting, self._answer = self._answer, None
        self._received = b""
        self._used_at = self._loop.time()
        if not keeps:
            self.close()
        assert waiting is not None
        waiting.set_result(answer)

    def _break(self, reason: str) -> None:
        waiting, self._answer = self._answer, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(LaneBroken(reason))
        self.close()

    def _check_time(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if self._loop.time() >= self._deadline:
            self._break("no answer came in time")
        else:
            self._timer = self._loop.call_at(self._deadline, self._check_time)


def _read(data: bytes, *, is_over: bool) -> tuple[Answer, bool, int] | None:
    """The answer that `data` holds, whether the connection lives on, and how long the answer is.

    None while more is to come; `is_over`: nothing more will. Raises ValueError for what is no
    HTTP.
    """
    begin = 0
    while True:
        end = data.find(b"\r\n\r\n", begin)
        if end < 0:
            if len(data) - begin > HEAD_LIMIT_BYTES:
                raise ValueError("headers without an end")
            return None
        first, *lines = data[begin:end].decode("latin-1").split("\r\n")
        if not first.startswith("HTTP/1."):
            raise ValueError(first[:40])
        status = int(first[9:12])
        begin = end + 4
        if status >= 200:
            break  # what comes before, like 100 Continue, is no answer
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    keeps = first[7] == "1" and headers.get("connection", "").lower() != "close"
    if status in (204, 304):
        return Answer(status, headers, b""), keeps, begin
    if "transfer-encoding" in headers:
        chunked = _read_chunks(data, begin)
        return chunked and (Answer(status, headers, chunked[0]), keeps, chunked[1])
    if "content-length" in headers:
        end = begin + int(headers["content-length"])
        if end > len(data):
            return None
        return Answer(status, headers, data[begin:end]), keeps, end
    return (Answer(status, headers, data[begin:]), False, len(data)) if is_over else None


def _read_chunks(data: bytes, begin: int) -> tuple[bytes, int] | None:
    """A chunked body and where it ends; None while more is to come. Raises ValueError."""
    body = []
    while True:
        end = data.find(b"\r\n", begin)
        if end < 0:
            return None
        size = int(data[begin:end].partition(b";")[0], 16)
        begin = end + 2
        if size == 0:
            break
        body.append(data[begin : begin + size])
        begin += size + 2
    if data[begin : begin + 2] == b"\r\n":
        return b"".join(body), begin + 2
    end = data.find(b"\r\n\r\n", begin)  # trailers
    return None if end < 0 else (b"".join(body), end + 4)
