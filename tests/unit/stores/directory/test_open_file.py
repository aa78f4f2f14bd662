"""Files that are read by threads are closed, whenever their reader is cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from bulkup.stores.directory.open_file import open_file

pytestmark = pytest.mark.filterwarnings("error")  # a file that the collector closes is an error


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"0123456789")
    return str(file)


def is_open(path: str) -> bool:
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return path in found


async def test_it_is_read_from_a_byte_on(path: str) -> None:
    async with open_file(path, 3) as read:
        assert [await read(4), await read(4), await read(4)] == [b"3456", b"789", b""]
    assert not is_open(path)


@pytest.mark.parametrize("busy", ["while it is opened", "while it is closed"])
async def test_a_reader_that_is_cancelled_leaves_no_file_open(path: str, busy: str) -> None:
    """The only thread is busy then, so that its call has not begun."""
    loop, free = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    at_the_end = asyncio.Event()

    async def read_all() -> None:
        async with open_file(path, 0) as read:
            assert await read(20) == b"0123456789"
            loop.run_in_executor(None, free.wait)
            at_the_end.set()

    if busy == "while it is opened":
        loop.run_in_executor(None, free.wait)
    reader = asyncio.create_task(read_all())
    if busy == "while it is closed":
        await at_the_end.wait()
    await asyncio.sleep(0)
    reader.cancel()
    with suppress(asyncio.CancelledError):
        await reader
    free.set()
    await loop.shutdown_default_executor()
    await asyncio.sleep(0)
    assert reader.cancelled()
    assert not is_open(path)
