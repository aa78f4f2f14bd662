"""Small bodies that were used lately."""

from __future__ import annotations

from collections import OrderedDict


class ByteCache:
    """At most `most_bytes` of bodies; those that were used least recently go first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Of all bodies."""
        return self._bytes

    def get(self, name: str) -> bytes | None:
        """The body; None when it is not here."""
        body = self._bodies.get(name)
        if body is not None:
            self._bodies.move_to_end(name)
        return body

    def put(self, name: str, body: bytes) -> None:
        """Keep the body, unless it is larger than a sixteenth of all."""
        if len(body) * 16 > self._most_bytes or name in self._bodies:
            return
        self._bodies[name] = body
        self._bytes += len(body)
        while self._bytes > self._most_bytes:
            _, gone = self._bodies.popitem(last=False)
            self._bytes -= len(gone)
