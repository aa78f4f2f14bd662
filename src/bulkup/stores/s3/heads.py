"""The heads of requests as they go over the wire.

Source: RFC 9112 (HTTP/1.1), sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping

_FIXED_LINES = 4
"""Of a head: the first, the two headers of every request, and the empty one at the end."""


def fixed_lines(host: str, agent: str) -> str:
    """What all heads to one host have in common; `host` is the Host header as sent."""
    return f" HTTP/1.1\r\nhost: {host}\r\nuser-agent: {agent}\r\n"


def head_of(
    method: str, path: str, fixed: str, headers: Mapping[str, str], size_bytes: int
) -> bytes | None:
    """The head of a request with a body of so many bytes, 0 for none; None where a header is no
    plain text."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    length = f"content-length: {size_bytes}\r\n" if size_bytes else ""
    head = f"{method} {path}{fixed}{length}{lines}\r\n"
    count = len(headers) + _FIXED_LINES + (1 if size_bytes else 0)
    if not head.isascii() or head.count("\n") != count or head.count("\r") != count:
        return None
    return head.encode("ascii")
