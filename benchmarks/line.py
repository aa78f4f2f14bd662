"""How long line and server alone take for the bodies of a scenario: no client can be faster.

The bodies are parts of one block of memory: nothing is started, found, read, hashed, signed or
asked. As many as `--together` says are sent at the same time, each over its own connection.

    python -m benchmarks.line [--only far-100ms-photo] [--together 256] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import gettempdir
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks import data
from benchmarks.bench import server_of, through
from benchmarks.scenarios import SCENARIOS, Scenario

HEAD = "PUT /bench/line/{number} HTTP/1.1\r\nHost: line\r\nContent-Length: {size}\r\n\r\n"


async def put_some(port: int, sizes: Iterator[tuple[int, int]], block: memoryview) -> None:
    """Send the next body as long as there is one, over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, size_bytes in sizes:
        writer.write(HEAD.format(number=number, size=size_bytes).encode())
        writer.write(block[:size_bytes])
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            raise RuntimeError(f"the server answered {answer!r}")
    writer.close()


async def put_all(port: int, sizes: Sequence[int], together: int) -> float:
    """Send a body of each size; the seconds that it took."""
    block = memoryview(bytes(max(sizes)))
    began, numbered = perf_counter(), iter(enumerate(sizes))
    count = min(together, len(sizes))
    await asyncio.gather(*(put_some(port, numbered, block) for _ in range(count)))
    return perf_counter() - began


def seconds_of(scenario: Scenario, sizes: Sequence[int], together: int, rounds: int) -> float:
    """The median of so many rounds, after one to warm up."""
    with server_of(scenario) as server, through(scenario.network, server.endpoint) as endpoint:
        port = urlsplit(endpoint.url).port
        assert port is not None
        found = [asyncio.run(put_all(port, sizes, together)) for _ in range(rounds + 1)]
    return median(found[1:])


def main() -> None:
    """Measure the scenarios without TLS in which files go to a server that is far."""
    far = [s for s in SCENARIOS if s.network and s.stores and not s.tls]
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", default=",".join(s.name for s in far), help="of %(default)s")
    parser.add_argument("--together", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=Path(gettempdir()) / "bulkup-bench")
    given = parser.parse_args()
    for scenario in far:
        if scenario.name in given.only.split(","):
            made = data.make(given.data, scenario.kind, 1.0)
            sizes = [p.stat().st_size for p in made.directory.rglob("*") if p.is_file()]
            seconds = seconds_of(scenario, sizes, given.together, given.rounds)
            rate = sum(sizes) / seconds / 1e6
            print(f"{scenario.name:20} {seconds:6.3f} s {rate:7.1f} MB/s", flush=True)


if __name__ == "__main__":
    main()
