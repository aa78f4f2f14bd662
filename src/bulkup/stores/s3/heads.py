"""The heads of PUT requests as they go over the wire.

Source: RFC 9112 (HTTP/1.1), sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping

_FIXED_LINES = 5
"""Of a head: the first, the three headers of every request, and the empty one at the end."""


def fixed_lines(host: str, agent: str) -> str:
    """What all heads to one host have in common; `host` is the Host header as sent."""
    return f" HTTP/1.1\r\nhost: {host}\r\nuser-agent: {agent}\r\n"


def head_of(path: str, fixed: str, headers: Mapping[str, str], size_bytes: int) -> bytes | None:
    """The head of a PUT of so many bytes; None where a header is no plain text."""
    lines = "".join([f"\r\n{name}: {value}" for name, value in headers.items()])
    head = f"PUT {path}{fixed}content-length: {size_bytes}{lines}\r\n\r\n"
    count = len(headers) + _FIXED_LINES
    if not head.isascii() or head.count("\n") != count or head.count("\r") != count:
        return None
    return head.encode("ascii")
