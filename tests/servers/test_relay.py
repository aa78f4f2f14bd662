"""The network between client and server does what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from random import Random

import pytest

from tests.servers.relay import Line, Network, Relay, running

KIB = 1024


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back whatever it receives."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def connected(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port))


def ask(connection: socket.socket, data: bytes) -> float:
    """Seconds until all of it is back."""
    began = time.monotonic()
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    received = b""
    while len(received) < len(data):
        received += connection.recv(1 << 16)
    sender.join()
    assert received == data
    return time.monotonic() - began


def test_each_way_takes_its_time_and_a_new_connection_one_round_trip_more(echo: int) -> None:
    network = Network(delay_seconds=0.05)
    with running(echo, network) as relay, connected(relay) as connection:
        assert ask(connection, b"first") >= 0.2
        assert 0.1 <= ask(connection, b"second") < 0.2


def test_all_connections_share_the_line(echo: int) -> None:
    network = Network(delay_seconds=0.001, bytes_per_second=500_000.0)
    with running(echo, network) as relay:
        connections = [connected(relay) for _ in range(4)]
        began = time.monotonic()
        threads = [
            threading.Thread(target=ask, args=(connection, bytes(50_000)))
            for connection in connections
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0.38 <= time.monotonic() - began < 1.5
        for connection in connections:
            connection.close()


def test_nothing_arrives_while_the_line_is_cut(echo: int) -> None:
    with running(echo, Network()) as relay, connected(relay) as connection:
        ask(connection, b"before")
        relay.toggle()
        connection.settimeout(0.2)
        connection.sendall(b"during")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        relay.toggle()
        connection.settimeout(5)
        assert connection.recv(100) == b"during"


def test_bytes_leave_one_after_the_other() -> None:
    line = Line(Network(delay_seconds=1.0, bytes_per_second=100.0), Random(1))
    assert line.arrival(50, now=10.0) == 11.5
    assert line.arrival(50, now=10.0) == 12.0
    assert line.arrival(50, now=20.0) == 21.5


def test_connections_wait_while_the_relay_has_no_time_for_them(echo: int) -> None:
    with running(echo, Network()) as relay:
        relay.pause()
        connections = [connected(relay) for _ in range(400)]  # each blocks until the kernel has it
        relay.go_on()
        assert ask(connections[-1], b"last") < 5
        for connection in connections:
            connection.close()
