"""A web server that records what is posted to it and answers by script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

HANG = 0
"""In a script: take the request, and answer when the test is over."""


class Receiver:
    """What came in, in order; `answers` are statuses or HANG, then 200 for ever."""

    def __init__(self, answers: Sequence[int]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.messages: list[Any] = []
        self.over = Event()
        self.port = 0

    @property
    def url(self) -> str:
        """Where to post; its path is the secret."""
        return f"http://127.0.0.1:{self.port}/hooks/s3cr3t?token=t0k3n"


@contextmanager
def receiving(*answers: int) -> Iterator[Receiver]:
    """A receiver on a free port of 127.0.0.1."""
    receiver = Receiver(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, dict(self.headers)))
            receiver.messages.append(json.loads(body))
            status = receiver.answers.pop(0) if receiver.answers else 200
            if status == HANG:
                receiver.over.wait()
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
