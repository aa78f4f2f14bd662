"""Event loops: for the command line, and for functions that wait for an async one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's if it is installed: a request costs half as much as in asyncio's own loop."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop  # type: ignore[assignment]  # the same, but slower
    return new_event_loop


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, in a loop of its own: where one is running already, as in a notebook,
    in a thread of its own. Ctrl-C cancels it, and is raised once it has ended."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(work)
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []
    is_interrupted = threading.Event()

    async def noted() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.append((asyncio.get_running_loop(), task))
        if is_interrupted.is_set():
            task.cancel()
        return await work

    with ThreadPoolExecutor(1, thread_name_prefix="bulkup") as pool:
        try:  # Ctrl-C may come before submit returns, when the thread is at work already
            return pool.submit(_run, noted()).result()
        except KeyboardInterrupt:
            is_interrupted.set()
            for loop, task in started:
                loop.call_soon_threadsafe(task.cancel)
            raise


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)
