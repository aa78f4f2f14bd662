"""A scripted S3 server in pure Python: drops bodies, counts requests, fails on demand.

For tests of one fault at a time; that signatures and formats are right is for the real servers to
say (tests/servers). In the test's own process:

    with FakeS3(faults=[Fault(op="PutObject", status=503, retry_after_seconds=1)]) as s3:
        ...  # s3.url; then s3.count("PutObject"), s3.digests

or apart, so that a test may kill and time the client without sharing an interpreter:

    python -m tests.fakes.s3_server [--port N] [--keep-bodies] [--conditional-writes ignored]
                                    [--faults '[{"op": "PutObject", "status": 503}]']

which prints `endpoint=URL` and answers GET /-/state with JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Self

from tests.fakes.faults import Fault
from tests.fakes.http1 import (
    CHUNK_BYTES,
    HEAD_LIMIT_BYTES,
    Answer,
    Body,
    Request,
    read_body,
    read_request,
)
from tests.fakes.s3_objects import ConditionalWrites, Held, Objects, operation


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the server saw it. `status` is 0 where the connection was dropped."""

    op: str
    method: str
    path: str
    status: int
    headers: dict[str, str]


class FakeS3:
    """The server, in a thread of its own while the `with` block lasts. Readable at any time."""

    def __init__(
        self,
        *,
        port: int = 0,
        faults: Sequence[Fault] = (),
        conditional_writes: ConditionalWrites = "honoured",
        keep_bodies: bool = False,
    ) -> None:
        self.objects = Objects(conditional_writes=conditional_writes)
        self.seen: list[Seen] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections = 0
        self.url = ""
        self._port = port
        self._keep_bodies = keep_bodies
        self._faults: list[Fault] = list(faults)
        self._counted: list[int] = [0] * len(faults)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = threading.Condition()
        self.arrived: Counter[str] = Counter()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise TimeoutError("the fake S3 server did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    @property
    def held(self) -> dict[str, Held]:
        """The objects, by path (/bucket/key)."""
        return dict(self.objects.held)

    @property
    def digests(self) -> dict[str, str | None]:
        """The SHA-256 of every object, by path."""
        return {path: held.digest for path, held in self.held.items()}

    def count(self, op: str = "*", status: int | None = None) -> int:
        """How many requests were answered, by operation (a glob) and status."""
        return sum(fnmatchcase(s.op, op) and status in (None, s.status) for s in list(self.seen))

    def script(self, *faults: Fault) -> None:
        """Forget the present faults and begin with these."""
        self._faults, self._counted = list(faults), [0] * len(faults)

    def wait_for(self, op: str, count: int = 1, *, timeout_seconds: float = 30) -> None:
        """Block until `count` requests of this operation have arrived. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.arrived[op] >= count, timeout_seconds):
                raise TimeoutError(f"{self.arrived[op]} of {count} {op} requests came")

    def release(self) -> None:
        """Release the requests that a fault holds, now and from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    def state(self) -> dict[str, object]:
        """What GET /-/state answers: counts, and each object's size and digest."""
        by_op: dict[str, Counter[str]] = {}
        for seen in list(self.seen):
            by_op.setdefault(seen.op, Counter())[str(seen.status)] += 1
        objects = {
            p: {"size_bytes": h.size_bytes, "digest": h.digest} for p, h in self.held.items()
        }
        counts = {"most_in_flight": self.most_in_flight, "connections": self.connections}
        return {"requests": by_op, **counts, "objects": objects}

    async def serve(self) -> None:
        """Listen and answer until stopped."""
        self._loop, self._over, self._released = (
            asyncio.get_running_loop(),
            asyncio.Event(),
            asyncio.Event(),
        )
        server = await asyncio.start_server(
            self._connection, "127.0.0.1", self._port, limit=HEAD_LIMIT_BYTES, backlog=1024
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._over.wait()
        server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._exchange(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; False: the connection is done with."""
        if request.path == "/-/state":
            text = json.dumps(self.state()).encode()
            return await self._send(Answer(200, text), request, writer, close=False)
        op = operation(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        with self._changed:
            self.arrived[op] += 1
            self._changed.notify_all()
        status = 0
        try:
            fault = self._fault_for(op, request)
            close = fault is not None and fault.does == "refuse" and fault.early
            answer = await self._answer(op, request, fault, reader, writer)
            if answer is None:
                writer.transport.abort()
                return False
            status = answer.status
        finally:
            self.in_flight -= 1
            self.seen.append(Seen(op, request.method, request.path, status, request.headers))
        return await self._send(answer, request, writer, close=close)

    async def _send(
        self, answer: Answer, request: Request, writer: asyncio.StreamWriter, *, close: bool
    ) -> bool:
        writer.write(answer.encode(head=request.method == "HEAD", close=close))
        await writer.drain()
        return not close

    def _fault_for(self, op: str, request: Request) -> Fault | None:
        for index, fault in enumerate(self._faults):
            if fault.matches(op, request):
                struck = self._counted[index] - fault.after
                self._counted[index] += 1
                if struck >= 0 and (fault.times is None or struck < fault.times):
                    return fault
        return None

    async def _answer(
        self,
        op: str,
        request: Request,
        fault: Fault | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Answer | None:
        """The answer after the fault has had its way; None: drop the connection."""
        does = fault.does if fault else None
        if fault and does == "refuse" and fault.early:
            return fault.answer()
        if request.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if does == "reset":
            # Less than a whole body, so that the client is still sending.
            await reader.read(min(CHUNK_BYTES, int(request.headers.get("content-length", 0)) // 2))
            return None
        keep = self._keep_bodies or request.method == "POST"
        body = await read_body(request, reader, keep=keep)
        if fault and does == "refuse":
            return fault.answer()
        if does == "hold":
            await self._released.wait()
        if fault and does == "delay":
            await asyncio.sleep(fault.delay_seconds)
        if does == "lie":
            return _false_success(body)
        answer = self.objects.answer(op, request, body)
        return None if does == "lose" else answer


def _false_success(body: Body) -> Answer:
    return Answer(HTTPStatus.OK, headers={"etag": f'"{body.md5}"'})


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(description="A scripted S3 server for tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keep-bodies", action="store_true")
    parser.add_argument("--conditional-writes", default="honoured")
    parser.add_argument("--faults", type=json.loads, default=[])
    given = parser.parse_args()
    with FakeS3(
        port=given.port,
        faults=[Fault(**fault) for fault in given.faults],
        conditional_writes=given.conditional_writes,
        keep_bodies=given.keep_bodies,
    ) as s3:
        sys.stdout.write(f"endpoint={s3.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
