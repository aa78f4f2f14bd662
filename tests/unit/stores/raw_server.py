"""An HTTP server that records the bytes of requests, and answers with given bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\netag: e\r\n\r\n"


@dataclass
class RawServer:
    """`heads` are the request heads as they came; `answers` are used up in order, then 200."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    answer_to: Callable[[str], bytes] | None = None  # makes the answers from the request heads
    close_after: bool = False  # close the connection after each answer

    @property
    def targets(self) -> list[str]:
        return [head.split("\r\n")[0].split(" ")[1] for head in self.heads]

    def header(self, name: str) -> list[str]:
        """The values of a header in the last request."""
        lines = [line.partition(": ") for line in self.heads[-1].split("\r\n")[1:]]
        return [value for key, _, value in lines if key.lower() == name]


def answer(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def refusal(status, code, message="", extra="", **headers):
    body = f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>"
    return answer(status, body.encode(), **headers)


@asynccontextmanager
async def raw_server(tls=None):
    """`tls` is the SSLContext of an HTTPS server."""
    seen = RawServer()
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                seen.heads.append(head)
                size = [x for x in head.lower().split("\r\n") if x.startswith("content-length:")]
                body = await reader.readexactly(int(size[0].split(":")[1])) if size else b""
                seen.bodies.append(body)
                if seen.answer_to is not None:
                    given = seen.answer_to(head)
                else:
                    given = seen.answers.pop(0) if seen.answers else OK
                writer.write(given)
                await writer.drain()
                if seen.close_after or not given:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    seen.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
