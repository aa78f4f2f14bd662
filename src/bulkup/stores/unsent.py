"""What was handed to the kernel and what arrived of it: to tell a slow line from a dead one.

A connection's buffer takes megabytes, so that on a slow line minutes pass between two writes. Linux
says how much of it the other side has not acknowledged (SIOCOUTQ, tcp(7)), and how much it has in
all (tcpi_bytes_acked of TCP_INFO, linux/tcp.h).
"""

from __future__ import annotations

import os
import re
import socket
import sys
from contextlib import suppress

_TCP_INFO = 11
_BYTES_ACKED = slice(120, 128)  # of struct tcp_info, since Linux 4.1
_SOCKET = r"socket:\[(\d+)\]"


def _is_known() -> bool:
    if sys.platform != "linux" or not os.path.isdir("/proc/self/fd"):
        return False
    with suppress(OSError), socket.socket() as unconnected:
        return len(unconnected.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)) >= _BYTES_ACKED.stop
    return False  # a sandbox


IS_KNOWN = _is_known()
"""Whether the kernel says what was acknowledged; elsewhere nothing is found."""


def unsent_bytes(descriptor: int) -> int:
    """Of a TCP connection: bytes that were not acknowledged. Raises OSError."""
    if sys.platform != "linux":
        return 0
    from fcntl import ioctl
    from termios import TIOCOUTQ  # the same number as SIOCOUTQ

    return int.from_bytes(ioctl(descriptor, TIOCOUTQ, bytes(4)), sys.byteorder)


def acknowledged_to(port: int) -> dict[int, int]:
    """Bytes that were acknowledged on each connection of this process to a port, by the socket's
    inode: for libraries that do not give their sockets away."""
    found: dict[int, int] = {}
    if not IS_KNOWN:
        return found
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # closed meanwhile, or no connection
            inode = re.fullmatch(_SOCKET, os.readlink(f"/proc/self/fd/{name}"))
            if inode is None:
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                peer = connection.getpeername()
                if isinstance(peer, tuple) and peer[1] == port:
                    info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
                    found[int(inode[1])] = int.from_bytes(info[_BYTES_ACKED], sys.byteorder)
    return found


class Movement:
    """When something was acknowledged last, of all that this process sends to one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._seen: dict[int, int] = {}
        self._seen_at = float("-inf")
        self._moved_at = float("-inf")

    def moved_at(self, now: float, *, shortest_seconds: float) -> float:
        """The time of the last look that saw a movement; there is a new look if the last one is
        as old as `shortest_seconds`. Minus infinity: none yet."""
        if now - self._seen_at >= shortest_seconds:
            before, self._seen = self._seen, acknowledged_to(self._port)
            self._seen_at = now
            if any(before.get(inode, acked) < acked for inode, acked in self._seen.items()):
                self._moved_at = now
        return self._moved_at
