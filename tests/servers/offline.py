"""Runs a command without a network, with a resolver that writes down what it is asked.

    unshare --net --mount python -m tests.servers.offline ASKED COMMAND …

Every name that the command looks up is a line of the file ASKED. For root, on Linux.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
_HEADER_BYTES = 12  # RFC 1035, 4.1.1
_NO_SUCH_NAME = b"\x81\x83"


def bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, _GET_FLAGS, request), 16)
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def answer_all(server: socket.socket, asked: Path) -> None:
    """No name exists."""
    while True:
        query, client = server.recvfrom(4096)
        with asked.open("a") as file:
            file.write(f"{_name_in(query)}\n")
        server.sendto(query[:2] + _NO_SUCH_NAME + query[4:6] + bytes(6) + query[12:], client)


def _name_in(query: bytes) -> str:
    labels, at = [], _HEADER_BYTES
    while (length := query[at]) > 0:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels)


def main() -> int:
    asked, command = Path(sys.argv[1]), sys.argv[2:]
    bring_loopback_up()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "resolv.conf")
        configuration.write_text("nameserver 127.0.0.1\n")
        mount = ["mount", "--bind", str(configuration), "/etc/resolv.conf"]
        subprocess.run(mount, check=True)
        try:
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind(("127.0.0.1", 53))
            threading.Thread(target=answer_all, args=(server, asked), daemon=True).start()
            return subprocess.run(command, check=False).returncode
        finally:
            subprocess.run(["umount", "/etc/resolv.conf"], check=True)


if __name__ == "__main__":
    sys.exit(main())
