"""A network between a client and a server: delay, rate, jitter, and a line that is cut.

    python -m tests.servers.relay --to 127.0.0.1:9000 --port 9001 --delay-ms 50 --mbit 100

It forwards TCP connections. Each direction is one line that all connections share. A connection
costs one round trip before its first byte arrives, as TCP's handshake does; slow start and loss are
not modelled. SIGUSR1 cuts the line (nothing arrives, new connections wait), the next one restores
it. One process relayed 1 GB/s on a machine with two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import cast

from tests.servers.process import ServerFailed, free_port

MOST_BYTES = 4 << 20  # of one connection under way; about what Linux lets a receiver buffer
LEAST_BYTES = 8 << 10
LEAST_BUFFER_BYTES = 128 << 10  # two segments of the loopback device; with less it nearly stops
BACKLOG = 2048  # connections that wait to be accepted; a SYN beyond them is repeated after 1 s
QUEUE_SECONDS = 0.1  # what a router holds back beyond a round trip


@dataclass(frozen=True, slots=True)
class Network:
    """One way: `delay_seconds`, and up to `jitter_seconds` more. Both ways: `bytes_per_second`,
    for all connections together; None: as fast as the machine."""

    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    jitter_seconds: float = 0.0

    @property
    def window_bytes(self) -> int:
        """How much of one connection may be under way in one direction."""
        if self.bytes_per_second is None:
            return MOST_BYTES
        seconds = 2 * self.delay_seconds + QUEUE_SECONDS
        return int(min(max(self.bytes_per_second * seconds, LEAST_BYTES), MOST_BYTES))


class Line:
    """One direction: bytes leave one after the other, and arrive later."""

    def __init__(self, network: Network, random: Random) -> None:
        self._network = network
        self._random = random
        self._free_at = 0.0

    def arrival(self, size_bytes: int, now: float) -> float:
        """When the last of so many bytes arrives, if they are sent now."""
        network = self._network
        leaves = now
        if network.bytes_per_second is not None:
            leaves = max(self._free_at, now) + size_bytes / network.bytes_per_second
            self._free_at = leaves
        return leaves + network.delay_seconds + self._random.uniform(0, network.jitter_seconds)


class End(asyncio.Protocol):
    """One end of a connection; what it receives goes over the line to its peer."""

    def __init__(self, relay: Server, line: Line) -> None:
        self._relay = relay
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[float, bytes]] = deque()  # (arrival, bytes); b"" is the end
        self._bytes = 0
        self._is_waiting = False  # a call of `_deliver` is due
        self._peer_is_full = False
        self._last_arrival = 0.0
        self.peer: End | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._relay.ends.add(self)
        # The handshake: one way there and one back before the first byte leaves.
        self._last_arrival = self._loop.time() + 3 * self._relay.network.delay_seconds

    def data_received(self, data: bytes) -> None:
        self._send(data)
        self._bytes += len(data)
        if self._bytes >= self._relay.network.window_bytes:
            assert self.transport is not None
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._send(b"")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._relay.ends.discard(self)
        if error is not None and self.peer is not None and self.peer.transport is not None:
            self.peer.transport.abort()
        elif self.peer is not None:
            self._send(b"")

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.hold(is_full=True)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.hold(is_full=False)

    def hold(self, *, is_full: bool) -> None:
        """The peer takes nothing now, or again."""
        self._peer_is_full = is_full
        if not is_full:
            self.deliver_due()

    def _send(self, data: bytes) -> None:
        arrival = self._line.arrival(len(data), self._loop.time())
        self._last_arrival = max(arrival, self._last_arrival)  # in order
        self._under_way.append((self._last_arrival, data))
        self.deliver_due()

    def deliver_due(self) -> None:
        """Pass on what has arrived, and come back for the rest."""
        now = self._loop.time()
        while self._under_way and self._under_way[0][0] <= now:
            if self._peer_is_full or self._relay.is_cut or self.peer is None:
                return
            self._pass_on(self._under_way.popleft()[1])
        if self._under_way and not self._is_waiting:
            self._is_waiting = True
            self._loop.call_at(self._under_way[0][0], self._wake)

    def _wake(self) -> None:
        self._is_waiting = False
        self.deliver_due()

    def _pass_on(self, data: bytes) -> None:
        peer = self.peer
        assert peer is not None
        if peer.transport is None or peer.transport.is_closing():
            return
        if not data:
            peer.transport.close()
            return
        peer.transport.write(data)
        self._bytes -= len(data)
        if self._bytes < self._relay.network.window_bytes and self.transport is not None:
            with contextlib.suppress(RuntimeError):  # it is closing
                self.transport.resume_reading()


class Server:
    """Accepts connections and opens one to the target for each."""

    def __init__(self, target: tuple[str, int], network: Network, *, seed: int = 1) -> None:
        self._target = target
        self.network = network
        random = Random(seed)
        self._there, self._back = Line(network, random), Line(network, random)
        self.ends: set[End] = set()
        self.is_cut = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, port: int) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._toggle)
        listener = socket.create_server(("127.0.0.1", port))
        if self.network.bytes_per_second is not None:  # before a connection: its window's scale
            size_bytes = max(self.network.window_bytes, LEAST_BUFFER_BYTES)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)
        server = await loop.create_server(self._accept, sock=listener, backlog=BACKLOG)
        say("ready")
        await server.serve_forever()

    def _accept(self) -> End:
        end = End(self, self._there)
        task = asyncio.create_task(self._open(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return end

    async def _open(self, end: End) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, other = await loop.create_connection(lambda: End(self, self._back), *self._target)
        except OSError:
            if end.transport is not None:
                end.transport.abort()
            return
        end.peer, other.peer = other, end
        end.deliver_due()

    def _toggle(self) -> None:
        self.is_cut = not self.is_cut
        say("cut" if self.is_cut else "restored")
        if not self.is_cut:
            for end in list(self.ends):
                end.deliver_due()


def say(word: str) -> None:
    """Tell whoever started the relay."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Relay:
    """A relay in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port

    def toggle(self) -> None:
        """Cut the line, or restore it; returns when that is done."""
        os.kill(self._process.pid, signal.SIGUSR1)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def pause(self) -> None:
        """Stop the process, as a machine does that has other work."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Continue it."""
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def running(port: int, network: Network) -> Iterator[Relay]:
    """A relay to `port` on this machine, until the end of the `with` block."""
    at = free_port()
    command = [
        *(sys.executable, "-m", "tests.servers.relay", "--to", f"127.0.0.1:{port}"),
        *("--port", str(at), "--delay-ms", str(network.delay_seconds * 1000)),
        *("--jitter-ms", str(network.jitter_seconds * 1000)),
    ]
    if network.bytes_per_second is not None:
        command += ["--mbit", str(network.bytes_per_second * 8 / 1e6)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise ServerFailed("the relay did not start")
        yield Relay(process, at)
    finally:
        process.terminate()
        process.communicate()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="one way")
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    parser.add_argument("--mbit", type=float, help="megabits a second, each way")
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    rate = None if options.mbit is None else options.mbit * 1e6 / 8
    network = Network(options.delay_ms / 1000, rate, options.jitter_ms / 1000)
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(Server((host, int(port)), network).serve(options.port))


if __name__ == "__main__":
    main()
