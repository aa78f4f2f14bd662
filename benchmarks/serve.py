"""How fast the server is over a manifest of 1,000,000 files.

    python -m benchmarks.serve [--assets 1000000] [--library MANIFEST] [--listen 20]
        [--vectors 100000]

Prints milliseconds of whole requests over the loopback. --library names the manifest of pictures
that were pushed: its thumbnails are then fetched, and it is searched. --vectors is for how many
pictures a third manifest has, which is searched by words, by filters and for similar ones.
--listen is for how many seconds 200 clients listen to events (600: whether memory stays flat).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import selectors
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.make_manifest import ASSETS, add_vectors, make

STATS_GOAL_MS, CACHED_GOAL_MS, PAGE_GOAL_MS, SEARCH_GOAL_MS = 100, 5, 50, 150
THUMBS_GOAL = 1500
THUMBS_SECONDS = 3
LISTENERS = 200
SETTLED_SECONDS = 900


class Client:
    """One connection to a server, with the cookie of its one-time link."""

    def __init__(self, link: str) -> None:
        address = re.match(r"http://([^/:]+):(\d+)/", link)
        assert address is not None
        self.host, self.port = address[1], int(address[2])
        self._connection = http.client.HTTPConnection(self.host, self.port)
        self._connection.request("GET", "/" + link.split("/", 3)[3])
        answer = self._connection.getresponse()
        answer.read()
        self.cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]

    def request(self, path: str) -> bytes:
        """A GET, as it is sent."""
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nCookie: {self.cookie}\r\n\r\n".encode()

    def get(self, path: str) -> bytes:
        """The body. Raises RuntimeError unless the status is 200."""
        self._connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body


class Served(NamedTuple):
    """A server and a connection to it."""

    client: Client
    pid: int


@contextmanager
def serving(manifest: Path) -> Iterator[Served]:
    """A server over the manifest."""
    argv = [sys.executable, "-c", "from bulkup.cli.app import main; main()", "serve",
            "--port", "0", "--manifest", str(manifest)]  # fmt: skip
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            link = re.search(r"http://\S+", process.stdout.readline())
            if link is None:
                raise RuntimeError("the server did not start")
            yield Served(Client(link[0]), process.pid)
        finally:
            process.terminate()


def milliseconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def line(name: str, found: list[float], goal: float) -> str:
    """The median and the worst beside the goal."""
    return f"{name:28} {median(found):7.1f} ms, worst {max(found):7.1f} (goal {goal:g})"


def large(served: Served, assets: int) -> Iterator[str]:
    """Counts and the gallery."""
    client = served.client
    begun = time.perf_counter()
    shown = -1
    while time.perf_counter() - begun < SETTLED_SECONDS:  # until the timeline is filled
        found = sum(int(n.replace(",", "")) for n in re.findall(
            r"from=\d{4}\">\d{4}</a> <small>([\d,]+)", client.get("/").decode()))  # fmt: skip
        if found == shown and found > assets // 2:
            break
        shown = found
        time.sleep(2)
    yield f"{'timeline':28} {shown:,} pictures in {time.perf_counter() - begun:.0f} s"
    uncached = []
    for _ in range(3):
        time.sleep(5.2)
        client.get("/api/v1/stats")  # starts the next aggregation, and is served the old one
        document = json.loads(client.get("/api/v1/stats"))
        assert document["assets"]["total"] == assets
        uncached.append(milliseconds(lambda: client.get("/api/v1/metrics")))
    yield line("/metrics, never cached", uncached, STATS_GOAL_MS)
    cached = [milliseconds(lambda: client.get("/api/v1/stats")) for _ in range(200)]
    yield line("/stats, cached", cached, CACHED_GOAL_MS)
    months = re.findall(r"data-month=\"(\d{4}-\d\d)\"", client.get("/").decode())
    places = random.Random(1).choices(months, k=20)
    pages = [milliseconds(partial(client.get, f"/?from={place}")) for place in places]
    yield line("gallery, 20 places", pages, PAGE_GOAL_MS)
    files = [milliseconds(lambda: client.get("/api/v1/files?cursor=900000")) for _ in range(5)]
    yield line("/files, far behind", files, PAGE_GOAL_MS)


def library(served: Served) -> Iterator[str]:
    """Thumbnails and searches of pictures that are there."""
    client = served.client
    digests = set(re.findall(r"/thumb/([0-9a-f]{64})", client.get("/").decode()))
    requests = [client.request(f"/api/v1/thumb/{digest}") for digest in digests]
    cpu, _ = usage(served.pid)
    begun, fetched = time.perf_counter(), 0
    with socket.create_connection((client.host, client.port)) as connection:
        while time.perf_counter() - begun < THUMBS_SECONDS:
            for request in requests:
                fetch(connection, request)
            fetched += len(requests)
    rate = fetched / (time.perf_counter() - begun)
    busy = fetched / (usage(served.pid)[0] - cpu)
    yield (
        f"{'thumbnails, one connection':28} {rate:7.0f} per second, {busy:.0f} per second of the "
        f"server's CPU (goal {THUMBS_GOAL})"
    )
    client.get("/api/v1/search?q=boat")
    searches = [milliseconds(lambda: client.get("/api/v1/search?q=red+flower")) for _ in range(10)]
    yield line("search, warm", searches, SEARCH_GOAL_MS)


def fetch(connection: socket.socket, request: bytes) -> None:
    """One answer, of which only the status and the length are looked at: http.client takes longer
    than the server. Raises RuntimeError unless the status is 200."""
    connection.sendall(request)
    found = connection.recv(1 << 18)
    while b"\r\n\r\n" not in found:
        found += connection.recv(1 << 18)
    head, _, body = found.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is None or not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode(errors="replace"))
    left = int(length[1]) - len(body)
    while left > 0:
        left -= len(connection.recv(min(left, 1 << 18)))


def searched(served: Served, pictures: int) -> Iterator[str]:
    """Searches of many pictures, warm."""
    client = served.client
    found = json.loads(client.get("/api/v1/search?q=boat&limit=1"))
    digest = found["hits"][0]["digest"]
    for name, path in (
        ("words", "search?q=red+flower"),
        ("a name in all", "search?q=photos"),
        ("words and a year", "search?q=boat+2019"),
        ("words, by date", "search?q=boat&after=2015"),
        ("similar", f"similar/{digest}"),
    ):
        client.get(f"/api/v1/{path}")
        cpu, _ = usage(served.pid)
        taken = [milliseconds(partial(client.get, f"/api/v1/{path}")) for _ in range(10)]
        busy = 100 * (usage(served.pid)[0] - cpu)
        told = line(f"{pictures:,}: {name}", taken, SEARCH_GOAL_MS)
        yield f"{told}, {busy:.1f} ms of the server's CPU"


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds and MB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def listening(served: Served, path: Path, seconds: float) -> Iterator[str]:
    """What 200 clients cost that listen to events, while something changes every second."""
    client, ready = served.client, selectors.DefaultSelector()
    for _ in range(LISTENERS):
        one = socket.create_connection((client.host, client.port))
        one.sendall(client.request("/api/v1/events"))
        one.setblocking(False)
        ready.register(one, selectors.EVENT_READ)
    time.sleep(2)
    cpu, megabytes = usage(served.pid)
    begun, received, changes, half = time.monotonic(), 0, 0, megabytes
    while (passed := time.monotonic() - begun) < seconds:
        if passed > changes:
            change(path, changes)
            changes += 1
        if passed < seconds / 2:
            half = usage(served.pid)[1]
        for key, _ in ready.select(timeout=1):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            some = sock.recv(1 << 16)
            if not some:
                raise RuntimeError("a stream ended")
            received += len(some)
    cpu_after, megabytes_after = usage(served.pid)
    for key in list(ready.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    share = 100 * (cpu_after - cpu) / seconds
    yield (
        f"{LISTENERS} listeners, {seconds:g} s{'':10} {share:7.1f} % of a core (goal 5), "
        f"{megabytes:.1f}, after half of the time {half:.1f}, at the end {megabytes_after:.1f} MB, "
        f"{received / 1e6:.1f} MB received"
    )


def change(path: Path, number: int) -> None:
    """Another upload is done."""
    with closing(sqlite3.connect(path, timeout=30)) as db, db:
        db.execute(
            "UPDATE item SET state = 'done' WHERE id = (SELECT id FROM item "
            "WHERE state = 'ready' LIMIT 1)"
        )
        db.execute("UPDATE asset SET modified_ns = modified_ns + 1 WHERE id = ?", (number + 1,))


def over_years(path: Path) -> None:
    """Let the files be of twenty years; many of them are of one moment, as copies are."""
    with sqlite3.connect(path) as db:
        db.execute("UPDATE asset SET modified_ns = "
                   "(1100000000 + (id * 7919 % 9973) * 63000) * 1000000000")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the server.")
    parser.add_argument("--assets", type=int, default=ASSETS)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--listen", type=float, default=20)
    parser.add_argument("--vectors", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkup-serve-") as folder:
        path = Path(folder) / "manifest.db"
        make(path, assets=given.assets)
        over_years(path)
        with serving(path) as served:
            for text in large(served, given.assets):
                print(text, flush=True)
            for text in listening(served, path, given.listen):
                print(text, flush=True)
    if given.vectors:
        with tempfile.TemporaryDirectory(prefix="bulkup-serve-") as folder:
            path = Path(folder) / "manifest.db"
            make(path, assets=given.vectors)
            pictures = add_vectors(path)
            with serving(path) as served:
                for text in searched(served, pictures):
                    print(text, flush=True)
    if given.library is not None:
        with serving(given.library) as served:
            for text in library(served):
                print(text, flush=True)


if __name__ == "__main__":
    main()
