"""A file that threads read, and that is closed whatever happens to its reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO


@asynccontextmanager
async def open_file(path: str, start: int) -> AsyncIterator[Callable[[int], Awaitable[bytes]]]:
    """The file's `read` from byte `start` on; its calls run in threads. Raises OSError.

    A call that is cancelled before a thread has begun it never runs. So neither the opening nor the
    closing is cancelled with the reader, which often happens just when all was read: a client has
    its bytes and leaves.
    """
    loop = asyncio.get_running_loop()
    opening = loop.run_in_executor(None, _open, path, start)
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise
    try:
        yield lambda count: loop.run_in_executor(None, file.read, count)
    finally:
        await asyncio.shield(loop.run_in_executor(None, file.close))


def _open(path: str, start: int) -> BinaryIO:
    file = open(path, "rb")  # noqa: SIM115 - `open_file` closes it
    file.seek(start)
    return file


def _close(opening: asyncio.Future[BinaryIO]) -> None:
    if opening.exception() is None:
        opening.result().close()
