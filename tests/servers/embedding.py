"""A service that embeds, in a process of its own: it speaks two protocols, and fails on demand.

    python -m tests.servers.embedding --port 0

prints its address as the first line. It serves

- POST /v1/embeddings, as OpenAI-compatible servers do, in the three shapes that pictures come in;
- POST /v1/predictions, GET /v1/predictions/ID, POST /v1/predictions/ID/cancel, as Replicate does;
- POST /faults: a list of faults, one for each embedding request or creation to come; null is none.
  {"status": 429, "headers": {…}, "body": …} is answered as it stands; {"hang": seconds},
  {"drop": true}; {"vector": […]} instead of each right one; {"count": 3} vectors whatever was
  asked; {"ends": "failed"} and {"polls": 2} are about a prediction. `repeat` in it: every time;
- GET /stats: all requests, in order: when ("at", monotonic seconds of this machine), what, how
  answered, the headers;
- POST /reset: as when it was started.

The vector of an input is derived from the SHA-256 of its bytes: the same picture, the same vector.
What does not decode gets a 400, and so does its company.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from tests.servers.process import ServerFailed, unmeasured

DIMENSION = 8
PATH = "/v1/embeddings"
PREDICTIONS = "/v1/predictions"


def vector_for(body: bytes, dimension: int = DIMENSION) -> list[float]:
    """What the service answers for a picture, or for the UTF-8 of a text. Not of length 1."""
    draw = random.Random(sha256(body).digest())
    return [draw.uniform(-3.0, 3.0) for _ in range(dimension)]


# The client's side ------------------------------------------------------------------------------


class EmbeddingServer:
    """The service as a test sees it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.url = f"{address}/v1"

    def fault(self, *faults: dict[str, Any] | None) -> None:
        """What goes wrong with the next requests, in order."""
        self._call("/faults", list(faults))

    def reset(self) -> None:
        self._call("/reset", {})

    def requests(self, path: str | None = None) -> list[dict[str, Any]]:
        """What was asked so far, of one path or of all."""
        asked = self._call("/stats")["requests"]
        return [request for request in asked if path in (None, request["path"])]

    def _call(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.address + path, data), timeout=10) as answer:
            return json.load(answer)


@contextmanager
def running(*options: str) -> Iterator[EmbeddingServer]:
    """The service in a process of its own, until the end of the `with` block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.servers.embedding", *options],
        env=unmeasured(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise ServerFailed(f"the embedding service ended with {process.wait(10)}")
        yield EmbeddingServer(address)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


# The service's side -----------------------------------------------------------------------------


class Service:
    """What all requests share."""

    def __init__(self, dimension: int, key: str | None) -> None:
        self.dimension = dimension
        self.key = key
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.faults: list[dict[str, Any] | None] = []
        self.requests: list[dict[str, Any]] = []
        self.predictions: dict[str, dict[str, Any]] = {}

    def next_fault(self) -> dict[str, Any]:
        with self.lock:
            if not self.faults:
                return {}
            fault = self.faults[0] or {}
            if not fault.get("repeat"):
                del self.faults[0]
            return fault


def bytes_in(entry: object) -> bytes:
    """The picture or text of an input, whatever its shape. Raises ValueError, as for a 400."""
    if isinstance(entry, dict):
        if "image_url" in entry:
            entry = entry["image_url"]["url"]
        else:
            entry = entry.get("image") or entry.get("text")
    if not isinstance(entry, str):
        raise ValueError("an input is neither a text nor a picture")  # noqa: TRY004 - answers 400
    if not entry.startswith("data:"):
        return entry.encode()
    head, _, data = entry.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ValueError("cannot identify the picture")
    picture = base64.b64decode(data, validate=True)
    try:
        Image.open(io.BytesIO(picture)).load()
    except Exception as error:  # Pillow raises whatever a broken file leads to
        raise ValueError("cannot identify the picture") from error
    return picture


def inputs_in(request: dict[str, Any]) -> list[bytes]:
    if "messages" in request:
        (message,) = request["messages"]
        (part,) = message["content"]
        return [bytes_in(part)]
    return [bytes_in(entry) for entry in request["input"]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._serve("GET", None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._serve("POST", json.loads(body or b"null"))
        except (ValueError, KeyError, TypeError) as error:
            self._answer(400, {"error": {"message": str(error)}})

    def _serve(self, method: str, body: Any) -> None:
        service, path = self.service, self.path.partition("?")[0]
        if path == "/stats":
            self._answer(200, {"requests": service.requests})
        elif path == "/faults":
            service.faults = body
            self._answer(200, {})
        elif path == "/reset":
            service.reset()
            self._answer(200, {})
        else:
            self._embedding(method, path, body)

    def _embedding(self, method: str, path: str, body: Any) -> None:
        service = self.service
        self.entry = {
            "at": time.monotonic(),
            "method": method,
            "path": path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "status": None,
        }
        with service.lock:
            service.requests.append(self.entry)
        if service.key and self.headers.get("Authorization") != f"Bearer {service.key}":
            said = f"Incorrect API key provided: {self.headers.get('Authorization')}"
            self._answer(401, {"error": {"message": said}})
        elif method == "POST" and path == PATH:
            self._embed(body)
        elif method == "POST" and path == PREDICTIONS:
            self._create(body)
        elif path.startswith(f"{PREDICTIONS}/"):
            self._prediction(method, path)
        else:
            self._answer(404, {"detail": "Not Found"})

    def _failed(self, fault: dict[str, Any]) -> bool:
        """Do what the fault says; whether that was all."""
        if "hang" in fault:
            time.sleep(fault["hang"])
        if fault.get("drop"):
            self.close_connection = True
            return True
        if "status" in fault:
            self._answer(fault["status"], fault.get("body", {}), fault.get("headers", {}))
            return True
        return False

    def _embed(self, body: Any) -> None:
        fault = self.service.next_fault()
        if self._failed(fault):
            return
        inputs = inputs_in(body)
        self.entry["inputs"] = len(inputs)
        self.entry["modality"] = body.get("modality")
        right = [vector_for(each, self.service.dimension) for each in inputs]
        vectors = [fault.get("vector", each) for each in right]
        vectors = (vectors * 9)[: fault.get("count", len(vectors))]
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        data.reverse()  # the protocol numbers them; who trusts the order gets it wrong
        self._answer(200, {"object": "list", "model": body.get("model"), "data": data})

    def _create(self, body: Any) -> None:
        fault = self.service.next_fault()
        if self._failed(fault):
            return
        content = bytes_in(body["input"])
        number = f"p{len(self.service.predictions)}"
        url = f"http://{self.headers['Host']}{PREDICTIONS}/{number}"
        vector = fault.get("vector", vector_for(content, self.service.dimension))
        self.service.predictions[number] = {
            "id": number,
            "status": "starting",
            "urls": fault.get("urls", {"get": url, "cancel": f"{url}/cancel"}),
            "polls": fault.get("polls", 0),
            "ends": fault.get("ends", "succeeded"),
            "vector": vector,
        }
        self._answer(201, self._shown(number))

    def _prediction(self, method: str, path: str) -> None:
        number, _, action = path.removeprefix(f"{PREDICTIONS}/").partition("/")
        if number not in self.service.predictions:
            self._answer(404, {"detail": "Not Found"})
            return
        if method == "POST" and action == "cancel":
            self.service.predictions[number].update(status="canceled", polls=10**9)
        self._answer(200, self._shown(number))

    def _shown(self, number: str) -> dict[str, Any]:
        """The prediction, one poll nearer to its end."""
        kept = self.service.predictions[number]
        if kept["status"] != "canceled":
            kept["status"] = "processing" if kept["polls"] > 0 else kept["ends"]
            kept["polls"] -= 1
        output = {"embedding": kept["vector"]} if kept["status"] == "succeeded" else None
        error = "CUDA out of memory" if kept["status"] == "failed" else None
        shown = {name: kept[name] for name in ("id", "status", "urls")}
        return {**shown, "output": output, "error": error}

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        if hasattr(self, "entry"):
            self.entry["status"] = status
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dimension", type=int, default=DIMENSION)
    parser.add_argument("--key", help="ask for this bearer token")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files")
    chosen = parser.parse_args()
    Handler.service = Service(chosen.dimension, chosen.key)
    server = Server(("127.0.0.1", chosen.port), Handler)
    scheme = "http"
    if chosen.tls:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*chosen.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"{scheme}://127.0.0.1:{server.server_address[1]}", flush=True)  # noqa: T201 - its address
    server.serve_forever()


if __name__ == "__main__":
    main()
