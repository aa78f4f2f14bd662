"""An HTTP proxy that sends every plain request to one server, whatever host it names.

So a test may speak to `bucket.s3.us-east-1.amazonaws.com` without a name server and without leaving
this machine. It also listens on ::1 as an ordinary server, for endpoints in IPv6.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OF_ONE_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding"}


@dataclass(slots=True)
class ForwardProxy:
    """`hosts` are those that requests named, in order."""

    url: str
    hosts: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def running(upstream: str, *, host: str = "127.0.0.1") -> Iterator[ForwardProxy]:
    """A proxy before the server at `upstream`."""
    netloc = urlsplit(upstream).netloc
    proxy = ForwardProxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            parts = urlsplit(self.path)
            proxy.hosts.append(parts.hostname or str(self.headers["Host"]))
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_ONE_HOP}
            connection = http.client.HTTPConnection(netloc, timeout=30)
            try:
                connection.request(self.command, path or "/", body or None, headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in {*_OF_ONE_HOP, "content-length"}:
                    self.send_header(name, value)
            length = answer.headers["Content-Length"] if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = (_Server6 if ":" in host else _Server)((host, 0), Handler)
    port = server.server_address[1]
    proxy.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
