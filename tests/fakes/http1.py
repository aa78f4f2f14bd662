"""As much of HTTP/1.1 (RFC 9112) as an S3 client speaks, for asyncio streams."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

CHUNK_BYTES = 256 * 1024
HEAD_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body. Header names are in lower case; `path` is decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Body:
    """A body that was read to its end, with transfer and aws-chunked framing removed."""

    size_bytes: int
    digest: str
    md5: str
    content: bytes | None  # None where only the digests are kept


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. Content-Length is added, unless `headers` names it (an answer to HEAD)."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self, *, head: bool, close: bool) -> bytes:
        """The bytes on the wire; without the body for an answer to HEAD."""
        headers = {"content-length": str(len(self.body)), **self.headers}
        if self.status == HTTPStatus.NO_CONTENT:
            del headers["content-length"]
        if close:
            headers["connection"] = "close"
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head else self.body)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request's head; None when the client has closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    headers = {}
    for line in rest:
        if line:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    return Request(method, unquote(path, errors="strict"), pairs, headers)


async def read_body(request: Request, reader: asyncio.StreamReader, *, keep: bool) -> Body:
    """Read the body to its end. Raises IncompleteReadError when the client goes away."""
    sha256, md5, kept = hashlib.sha256(), hashlib.md5(usedforsecurity=False), bytearray()
    size = 0
    async for chunk in _chunks(request, reader):
        size += len(chunk)
        sha256.update(chunk)
        md5.update(chunk)
        if keep:
            kept += chunk
    return Body(size, sha256.hexdigest(), md5.hexdigest(), bytes(kept) if keep else None)


async def _chunks(request: Request, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    chunked = request.headers.get("transfer-encoding", "").lower() == "chunked"
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        # The inner framing looks like HTTP's own (S3 API reference, "Signature calculations
        # for the Authorization header: transferring payload in multiple chunks").
        inner = reader
        if chunked:
            inner = asyncio.StreamReader(limit=HEAD_LIMIT_BYTES)
            async for chunk in _framed(reader):
                inner.feed_data(chunk)
            inner.feed_eof()
        async for chunk in _framed(inner):
            yield chunk
    elif chunked:
        async for chunk in _framed(reader):
            yield chunk
    else:
        async for chunk in _exactly(int(request.headers.get("content-length", "0")), reader):
            yield chunk


async def _exactly(size_bytes: int, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    left = size_bytes
    while left:
        chunk = await reader.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(chunk)
        yield chunk


async def _framed(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The chunks of a chunked body (RFC 9112, section 7.1); trailers are read and dropped."""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        async for chunk in _exactly(size, reader):
            yield chunk
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
