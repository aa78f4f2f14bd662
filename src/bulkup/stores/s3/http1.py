"""Answers as they come over the wire.

Source: RFC 9112 (HTTP/1.1), sections 4, 6 and 7.1.
"""

from __future__ import annotations

HEAD_LIMIT_BYTES = 1 << 18


class Answer:
    """A whole answer, read as pyreqwest's Response is."""

    __slots__ = ("_body", "_head", "_lower", "status")

    def __init__(self, status: int, head: str, body: bytes) -> None:
        """`head` begins with the status line and has no empty line at its end."""
        self.status = status
        self._head = head
        self._lower = head.lower()
        self._body = body

    def get_header(self, name: str) -> str | None:
        """The header's value; of several the first. `name` is lower case."""
        begin = self._lower.find(f"\r\n{name}:")
        if begin < 0:
            return None
        end = self._head.find("\r\n", begin + 2)
        return self._head[begin + len(name) + 3 : end if end > 0 else None].strip()

    @property
    def headers(self) -> dict[str, str]:
        """All headers; of several with a name the last."""
        lines = [line.partition(":") for line in self._head.split("\r\n")[1:]]
        return {name: value.strip() for name, _, value in lines}

    async def bytes(self) -> bytes:
        """The body, all of it."""
        return self._body


def read_answer(data: bytes, *, is_head: bool, is_over: bool) -> tuple[Answer, bool, int] | None:
    """The answer that `data` holds, whether the connection lives on, and how long the answer is.

    None while more is to come; `is_over`: nothing more will. `is_head`: it has no body, whatever
    its headers say. Raises ValueError for what is no HTTP.
    """
    begin = 0
    while True:
        end = data.find(b"\r\n\r\n", begin)
        if end < 0:
            if len(data) - begin > HEAD_LIMIT_BYTES:
                raise ValueError("headers without an end")
            return None
        head = data[begin:end].decode("latin-1")
        if not head.startswith("HTTP/1."):
            raise ValueError(head[:40])
        status = int(head[9:12])
        begin = end + 4
        if status >= 200:
            break  # what comes before, like 100 Continue, is no answer
    answer = Answer(status, head, b"")
    keeps = head[7] == "1" and (answer.get_header("connection") or "").lower() != "close"
    if is_head or status in (204, 304):
        return answer, keeps, begin
    length = answer.get_header("content-length")
    if answer.get_header("transfer-encoding") is not None:
        chunked = _read_chunks(data, begin)
        return None if chunked is None else (Answer(status, head, chunked[0]), keeps, chunked[1])
    if length == "0":
        return answer, keeps, begin
    if length is not None:
        end = begin + int(length)
        return (Answer(status, head, data[begin:end]), keeps, end) if end <= len(data) else None
    return (Answer(status, head, data[begin:]), False, len(data)) if is_over else None


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
