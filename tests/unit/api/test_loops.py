"""Waiting for an async function, with and without a running loop."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bulkup.api.loops import wait_for


async def name_of_thread() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_without_a_loop_the_caller_works_itself() -> None:
    assert wait_for(name_of_thread()) == threading.current_thread().name


async def test_in_a_running_loop_a_thread_works() -> None:
    assert wait_for(name_of_thread()).startswith("bulkup")


async def test_an_error_reaches_the_caller_from_the_thread() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        wait_for(fail())


INTERRUPTED = """
import asyncio
import signal
from bulkup.api.loops import wait_for

async def wait():
    print("ready", flush=True)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print("ended in order", flush=True)
        raise

async def notebook():
    try:
        wait_for(wait())
    except KeyboardInterrupt:
        print("interrupted", flush=True)

# A notebook's kernel leaves Ctrl-C to the code that runs; a shell's background job ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.new_event_loop().run_until_complete(notebook())
"""


def test_ctrl_c_ends_the_thread_in_order_and_is_raised() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        try:
            assert process.communicate(timeout=30)[0] == "ended in order\ninterrupted\n"
        finally:
            process.kill()


def test_ctrl_c_as_soon_as_the_thread_is_at_work_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python raises it wherever the caller is, and that may be before the caller waits."""
    submit = ThreadPoolExecutor.submit

    def interrupted(self: ThreadPoolExecutor, *args: Any) -> None:
        submit(self, *args)
        raise KeyboardInterrupt

    async def notebook() -> None:
        monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wait_for(asyncio.Event().wait())

    asyncio.run(notebook())
