from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bulkup.stores.unsent import IS_KNOWN, Movement, acknowledged_to, unsent_bytes

pytestmark = pytest.mark.skipif(not IS_KNOWN, reason="the kernel does not say")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client whose server reads nothing by itself."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            server, _ = listener.accept()
            with server:
                client.setblocking(False)
                yield client, server


def fill(client: socket.socket) -> None:
    while True:
        try:
            client.send(bytes(1 << 16))
        except BlockingIOError:
            return


def port_of(client: socket.socket) -> int:
    port: int = client.getpeername()[1]
    return port


def test_what_the_other_side_did_not_take_is_unsent(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, _ = pair
    assert unsent_bytes(client.fileno()) == 0
    fill(client)
    assert unsent_bytes(client.fileno()) > 0


def test_what_it_took_is_acknowledged(pair: tuple[socket.socket, socket.socket]) -> None:
    client, server = pair
    server.settimeout(5)
    (before,) = acknowledged_to(port_of(client)).values()
    client.send(bytes(1000))
    server.recv(1000)
    (after,) = acknowledged_to(port_of(client)).values()
    assert after - before == 1000
    assert acknowledged_to(1) == {}


def test_a_connection_moves_while_the_other_side_reads(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, server = pair
    fill(client)
    movement = Movement(port_of(client))
    never = movement.moved_at(1.0, shortest_seconds=1.0)
    assert movement.moved_at(2.0, shortest_seconds=1.0) == never < 0
    server.settimeout(5)
    for _ in range(20):
        server.recv(1 << 16)
    assert movement.moved_at(2.5, shortest_seconds=1.0) == never, "it does not look so often"
    assert movement.moved_at(3.0, shortest_seconds=1.0) == 3.0
    assert movement.moved_at(9.0, shortest_seconds=1.0) == 3.0
