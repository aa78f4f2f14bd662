"""A model hub in this process, in a thread: one repository, one commit, on 127.0.0.1.

    HEAD, GET /{repository}/resolve/{revision}/{path}

as Hugging Face's: X-Repo-Commit, X-Linked-ETag (SHA-256) for large files and an ETag that is the
SHA-1 of the Git blob for small ones, a redirect to where the bytes are, ranges.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = 1000  # bytes: as those that Git LFS keeps


@dataclass
class ModelHub:
    """What it serves, and what it was asked."""

    repository: str
    files: Mapping[str, bytes]
    commit: str = "1" * 40
    url: str = ""
    cut_after: int | None = None  # bytes of the next GET of a large file
    wrong_bytes: bool = False
    asked: list[str] = field(default_factory=list)  # 'GET /… bytes=7-'


@contextmanager
def running(repository: str, files: Mapping[str, bytes]) -> Iterator[ModelHub]:
    hub = ModelHub(repository, files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            _answer(hub, self)

        def do_GET(self) -> None:
            _answer(hub, self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(hub: ModelHub, to: BaseHTTPRequestHandler) -> None:
    hub.asked.append(f"{to.command} {to.path} {to.headers.get('Range', '')}".strip())
    if to.path.startswith("/bytes/"):
        _send(hub, to, hub.files[to.path.removeprefix("/bytes/")])
        return
    repository, _, rest = to.path[1:].partition("/resolve/")
    revision, _, path = rest.partition("/")
    if repository != hub.repository or path not in hub.files or revision not in (
        "main", hub.commit
    ):  # fmt: skip
        _head(to, 404, {"Content-Length": "0"})
        return
    body = hub.files[path]
    said = {"X-Repo-Commit": hub.commit, "X-Linked-Size": str(len(body))}
    if len(body) >= LARGE:
        said["X-Linked-ETag"] = f'"{sha256(body).hexdigest()}"'
        _head(to, 302, said | {"Location": f"/bytes/{path}", "Content-Length": "0"})
        return
    blob = sha1(b"blob %d\0" % len(body) + body).hexdigest()
    said["ETag"] = f'"{blob}"'
    _send(hub, to, body, said)


def _send(
    hub: ModelHub, to: BaseHTTPRequestHandler, body: bytes, said: Mapping[str, str] | None = None
) -> None:
    start = int(to.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    rest = body[start:]
    _head(to, 206 if start else 200, {**(said or {}), "Content-Length": str(len(rest))})
    if to.command == "HEAD":
        return
    if hub.wrong_bytes:
        rest = bytes(len(rest))
    if hub.cut_after is not None and len(body) >= LARGE:
        to.wfile.write(rest[: hub.cut_after])
        hub.cut_after, to.close_connection = None, True
        return
    to.wfile.write(rest)


def _head(to: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str]) -> None:
    to.send_response(status)
    for name, value in headers.items():
        to.send_header(name, value)
    to.end_headers()
