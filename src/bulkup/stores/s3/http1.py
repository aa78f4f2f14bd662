"""HTTP/1.1 requests and responses as bytes. Pure.

Source: RFC 9112 (HTTP/1.1), sections 2 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HEAD_LIMIT_BYTES = 1 << 18
BODY_LIMIT_BYTES = 1 << 26
"""Far above a page of 1,000 objects; a larger body is no answer to what is asked here."""

_CHUNK_LINE_LIMIT_BYTES = 1 << 12
# Status line and header lines; no blank before a colon, no folded lines, no CR or LF by itself.
# Possessive, as nothing matches in two ways: 12,700 instructions for a usual head, else 14,500.
_HEAD = re.compile(
    r"HTTP/1\.[01] [1-9][0-9]{2}(?: [^\r\n]*+)?(?:\r\n[\w!#$%&'*+.^`|~-]++:[^\r\n\0]*+)*", re.ASCII
).fullmatch
_HEX = frozenset(b"0123456789abcdefABCDEF")


class HTTPError(ValueError):
    """What was received is no HTTP response."""


class BodyTooLarge(HTTPError):
    """The body has more bytes than are wanted."""


def common_lines(host: str, agent: str) -> str:
    """What all request heads to one host have in common; `host` is the Host header as sent."""
    return f" HTTP/1.1\r\nhost: {host}\r\nuser-agent: {agent}\r\n"


def request_head(
    method: str, path: str, common: str, headers: Mapping[str, str], size_bytes: int
) -> bytes | None:
    """The head of a request with a body of so many bytes, 0 for none; None when a header holds
    anything but ASCII text in one line."""
    given = f"{path}{''.join(headers)}{''.join(headers.values())}"
    if not given.isascii() or "\n" in given or "\r" in given:
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    length = f"content-length: {size_bytes}\r\n" if size_bytes else ""
    return f"{method} {path}{common}{length}{lines}\r\n".encode()


class Response:
    """A whole response: status, headers and body."""

    __slots__ = ("_head", "_lower", "body", "filled_bytes", "status")

    def __init__(self, status: int, head: str = "", body: bytes = b"") -> None:
        """`head` is the status line and the header lines, without an empty line at its end."""
        self.status = status
        self.body = body
        self.filled_bytes: int | None = None
        """The size of a body that is in the buffer that was given for it, not in `body`."""
        self._head = head
        self._lower = head.lower()

    def get_header(self, name: str) -> str | None:
        """The header's value; the first of several. `name` is lower case."""
        begin = self._lower.find(f"\r\n{name}:")
        if begin < 0:
            return None
        end = self._head.find("\r\n", begin + 2)
        return self._head[begin + len(name) + 3 : end if end > 0 else None].strip()

    def header_names(self) -> list[str]:
        """The names of all headers, in lower case."""
        return [line.partition(":")[0] for line in self._lower.split("\r\n")[1:]]

    def has_text(self, text: str) -> bool:
        """Whether the head has `text`, in lower case, anywhere."""
        return text in self._lower


class ResponseParser:
    """Makes one response of the bytes of a connection, however they are split."""

    __slots__ = (
        "_at",
        "_chunks",
        "_data",
        "_into",
        "_is_head",
        "_missing",
        "_most",
        "_parts",
        "_response",
        "_size",
        "keeps_alive",
        "rest",
    )

    def __init__(
        self,
        *,
        is_head: bool = False,
        most_bytes: int = BODY_LIMIT_BYTES,
        into: memoryview | None = None,
    ) -> None:
        """`is_head`: the request was HEAD, so that the response has no body. The body of a success
        may be written `into`, where it fits."""
        self._is_head = is_head
        self._most = most_bytes
        self._into = into
        self.rest: memoryview | None = None
        """Where the rest of the body may be written to, for `advance`; None: bytes are fed."""
        self._data = b""
        self._response: Response | None = None  # once its head is complete
        self._at = 0  # where the body, or its next chunk, begins
        self._size: int | None = 0  # of the body; None: until the connection is closed
        self._chunks: list[bytes] | None = None  # of a chunked body
        self._parts: list[bytes] = []  # of a body whose size is known
        self._missing = 0  # bytes of it; 0 also before it has begun
        self.keeps_alive = False
        """After the response: whether the connection may be used for another request."""

    def feed(self, data: bytes) -> Response | None:
        """The response, once it is complete. Raises HTTPError."""
        if self._missing:
            self._parts.append(data)
            self._missing -= len(data)
            return None if self._missing > 0 else self._join()
        self._data = received = self._data + data if self._data else data
        if self._response is None and not self._read_head():
            return None
        if self._chunks is not None:
            return self._read_chunks()
        if self._size is None:
            self._require_less(len(received) - self._at)
            return None
        end = self._at + self._size
        if len(received) >= end:
            return self._complete(received[self._at : end], end)
        into, response = self._into, self._response
        assert response is not None
        if into is not None and self._size <= len(into) and response.status < 300:
            began = len(received) - self._at
            into[:began] = memoryview(received)[self._at :]
            self.rest = into[began : self._size]
            return None
        self._parts = [received[self._at :]]
        self._missing = end - len(received)
        return None

    def advance(self, size_bytes: int) -> Response | None:
        """So many bytes were written to `rest`. The response, once it is complete."""
        assert self.rest is not None
        assert self._response is not None
        self.rest = self.rest[size_bytes:]
        if self.rest:
            return None
        self.rest, self._data = None, b""
        self._response.filled_bytes = self._size
        return self._complete(b"", 0)

    def end(self) -> Response | None:
        """The response that the end of the connection completes; None when there is none."""
        if self._response is None or self._size is not None or self._chunks is not None:
            return None
        return self._complete(self._data[self._at :], len(self._data))

    def _join(self) -> Response:
        """A body that came in parts: each is copied once, however many there are."""
        size, self._data = self._size, b""
        assert size is not None
        body = b"".join(self._parts)
        self._parts, self._missing = [], 0
        if len(body) > size:  # bytes that nobody asked for
            self.keeps_alive = False
            body = body[:size]
        return self._complete(body, 0)

    def _complete(self, body: bytes, end: int) -> Response:
        response = self._response
        assert response is not None
        response.body = body
        if end != len(self._data):  # bytes that nobody asked for
            self.keeps_alive = False
        return response

    def _read_head(self) -> bool:
        while True:
            begin = self._at
            end = self._data.find(b"\r\n\r\n", begin)
            if (end if end >= 0 else len(self._data)) - begin > HEAD_LIMIT_BYTES:
                raise HTTPError("headers without an end")
            if end < 0:
                # At once, as nothing else may follow: another protocol, or lines without CR
                is_other = not b"HTTP/1.".startswith(self._data[begin : begin + 7])
                if is_other or b"\n\n" in self._data[begin:]:
                    raise HTTPError("what the server answers is no HTTP")
                return False
            head = self._data[begin:end].decode("latin-1")
            self._at = end + 4
            if _HEAD(head) is None:
                raise HTTPError("what the server answers is no HTTP")
            if head[9] != "1":
                break  # what comes before, like 100 Continue, is not the response
        self._response = response = Response(int(head[9:12]), head)
        self.keeps_alive = head[7] == "1"
        if response.has_text("close"):  # most heads have no such word anywhere
            connection = response.get_header("connection") or ""
            self.keeps_alive &= "close" not in connection.lower()
        if not self._is_head and response.status not in (204, 304):
            self._find_body(response)
        return True

    def _find_body(self, response: Response) -> None:
        """How long the body is (RFC 9112, section 6.3). Raises HTTPError."""
        length = response.get_header("content-length")
        if response.has_text("\r\ntransfer-encoding:"):
            encoding = response.get_header("transfer-encoding") or ""
            if encoding.lower() != "chunked":
                raise HTTPError("an unknown Transfer-Encoding")
            self._chunks = []
            if length is not None:
                self.keeps_alive = False
        elif length is None:
            self._size = None
            self.keeps_alive = False
        else:
            is_one = length == "0" or response.header_names().count("content-length") == 1
            if not (is_one and length.isascii() and length.isdigit() and len(length) < 19):
                raise HTTPError("a Content-Length that is no size")
            self._size = int(length)
            self._require_less(self._size)

    def _read_chunks(self) -> Response | None:
        data, chunks = self._data, self._chunks
        assert chunks is not None
        while self._size is not None:  # None: the trailers follow
            end = data.find(b"\r\n", self._at, self._at + _CHUNK_LINE_LIMIT_BYTES)
            if end < 0:
                if len(data) - self._at >= _CHUNK_LINE_LIMIT_BYTES:
                    raise HTTPError("a chunk size without an end")
                return None
            line = data[self._at : end]
            digits = line.partition(b";")[0].rstrip(b" \t")
            if not digits or b"\n" in line or len(digits) > 8 or not _HEX.issuperset(digits):
                raise HTTPError("a chunk size that is none")
            begin, size = end + 2, int(digits, 16)
            if size == 0:
                self._at, self._size = end, None
                break
            self._require_less(self._size + size)
            if len(data) < begin + size + 2:
                return None
            if data[begin + size : begin + size + 2] != b"\r\n":
                raise HTTPError("a chunk of another size than it says")
            chunks.append(data[begin : begin + size])
            self._size += size
            self._at = begin + size + 2
        # From the end of the last size: at once the second line end, or trailers before it
        end = data.find(b"\r\n\r\n", self._at)
        if (end if end >= 0 else len(data)) - self._at > HEAD_LIMIT_BYTES:
            raise HTTPError("trailers without an end")
        return None if end < 0 else self._complete(b"".join(chunks), end + 4)

    def _require_less(self, size_bytes: int) -> None:
        if size_bytes > self._most:
            raise BodyTooLarge(f"a body of {size_bytes} bytes or more")
