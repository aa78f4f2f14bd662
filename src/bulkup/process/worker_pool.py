"""A pool of worker processes with limits: a worker that dies costs its own job only.

Each worker has two pipes of its own and shares nothing with the others. Pools with a shared queue
(concurrent.futures, pebble) break as a whole when a worker is killed while idle, or hang when it
is killed while it holds the queue's lock.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from bulkup.errors import BulkupError, WorkerLost, WorkerOutOfMemory, WorkerTimeout
from bulkup.process.worker import FRAME

J = TypeVar("J")
R = TypeVar("R")

MEMORY_BYTES: Final = 2 << 30
"""200 MP decode to 0.8 GB; a progressive JPEG or a HEIC of that size needs twice as much."""

SECONDS: Final = 60.0
"""The time limit of one picture."""

JOBS_EACH: Final = 500
"""A worker is replaced after this many jobs, because C libraries leak memory. A start takes as long
as about five pictures."""

STARTS: Final = 3
"""A start is tried this often: the kernel may kill an idle worker, too."""

_START_SECONDS: Final = 60.0
_ALARM_GRACE_SECONDS: Final = 10
_MOST_REPLY_BYTES: Final = 256 << 20
_GONE: Final = (BrokenPipeError, ConnectionResetError, asyncio.IncompleteReadError)


class Workers:
    """At most `count` processes, started on demand. For one event loop.

    Each worker imports `modules` before its first job. Use as an async context manager, or call
    `close`.
    """

    def __init__(
        self,
        count: int,
        *,
        memory_bytes: int = MEMORY_BYTES,
        seconds: float = SECONDS,
        jobs_each: int = JOBS_EACH,
        modules: Sequence[str] = (),
    ) -> None:
        self.count = count
        self._memory_bytes = memory_bytes
        self._seconds = seconds
        self._jobs_each = jobs_each
        self._modules = tuple(modules)
        self._free = asyncio.Semaphore(count)
        self._is_closed = False
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()

    async def run(
        self,
        work: Callable[[J], R],
        job: J,
        *,
        on_begin: Callable[[], Awaitable[None]] | None = None,
    ) -> R:
        """`work(job)`, done by a worker. The time limit begins when a worker is free.

        `on_begin` is awaited just before the worker gets the job. `work` must be importable; `job`
        and the result must be small and picklable. Raises what `work` raises, WorkerTimeout,
        WorkerLost and WorkerOutOfMemory. When the caller is cancelled, the worker is killed.
        """
        request = pickle.dumps((work, job), pickle.HIGHEST_PROTOCOL)
        async with self._free:
            if self._is_closed:
                raise RuntimeError("the workers are closed")
            succeeded, result = await self._ask(request, on_begin)
        if succeeded:
            return result  # type: ignore[no-any-return]  # was pickled
        if isinstance(result, MemoryError):
            raise WorkerOutOfMemory(
                f"needs more than the {self._memory_bytes >> 20} MiB that a worker may have"
            )
        raise result

    async def _ask(
        self, request: bytes, on_begin: Callable[[], Awaitable[None]] | None
    ) -> tuple[bool, Any]:
        """The reply of the first worker that takes the job: idle ones may have been killed."""
        for _ in range(self.count + STARTS):
            process = await self._ready()
            self._busy.add(process)
            try:
                if on_begin is not None:
                    await on_begin()
                    on_begin = None
                reply = await process.ask(request, seconds=self._seconds)
            except _JobNotTaken as error:
                await process.kill()
                if self._is_closed:
                    raise WorkerLost(str(error)) from error
                continue
            except BaseException:
                await process.kill()
                raise
            finally:
                self._busy.discard(process)
            if process.jobs < self._jobs_each:
                self._idle.append(process)
            else:
                await process.kill()
            return reply
        raise BulkupError("the worker processes are killed before they take a job")

    async def _ready(self) -> _Process:
        """A living idle worker, or a new one."""
        while self._idle:
            process = self._idle.pop()
            if process.is_alive:
                return process
            await process.kill()
        alarm_seconds = int(self._seconds) + _ALARM_GRACE_SECONDS
        for _ in range(STARTS - 1):
            with suppress(WorkerLost):
                return await _Process.start(self._memory_bytes, alarm_seconds, self._modules)
        try:
            return await _Process.start(self._memory_bytes, alarm_seconds, self._modules)
        except WorkerLost as error:
            raise BulkupError(f"a worker process does not start: {error}") from error

    async def close(self) -> None:
        """Kill all workers and wait for their end. May be called twice.

        Running jobs raise WorkerLost, jobs that wait for a worker RuntimeError.
        """
        self._is_closed = True
        for process in self._busy:
            process.signal()
        for _ in range(self.count):  # each user of a worker has finished then
            await self._free.acquire()
        for process in self._idle:
            await process.kill()
        self._idle.clear()
        for _ in range(self.count):
            self._free.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class _JobNotTaken(Exception):
    """The worker ended before it read the job, which is not to blame."""


class _Process:
    """One worker and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._replies = process.stdout
        self.jobs = 0

    @classmethod
    async def start(cls, memory_bytes: int, alarm_seconds: int, modules: Sequence[str]) -> Self:
        """A worker after its imports. Raises WorkerLost when it does not get that far."""
        process = cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a picture folder may hold a file named PIL.py
                "-m",
                "bulkup.process.worker",
                str(memory_bytes),
                str(alarm_seconds),
                *modules,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the parent
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await process._reply()
        except TimeoutError as error:
            await process.kill()
            raise WorkerLost(f"not ready after {_START_SECONDS:g} s") from error
        except BaseException:
            await process.kill()
            raise
        return process

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None and not self._replies.at_eof()

    async def ask(self, request: bytes, *, seconds: float) -> tuple[bool, Any]:
        """The reply to one pickled job. After an error the process must be killed.

        Raises _JobNotTaken when it ends before it confirms, by an empty frame, that it has the job.
        """
        self.jobs += 1
        try:
            async with asyncio.timeout(seconds):
                try:
                    self._requests.write(FRAME.pack(len(request)) + request)
                    await self._requests.drain()
                    await self._replies.readexactly(FRAME.size)
                except _GONE as error:
                    ending = _ending(await self._process.wait())
                    raise _JobNotTaken(f"the worker process {ending}") from error
                return await self._reply()
        except TimeoutError as error:
            raise WorkerTimeout(f"not done after {seconds:g} s") from error

    async def _reply(self) -> tuple[bool, Any]:
        try:
            (size,) = FRAME.unpack(await self._replies.readexactly(FRAME.size))
            if size > _MOST_REPLY_BYTES:
                raise WorkerLost(f"the worker process replied with {size} bytes")
            succeeded, result = pickle.loads(await self._replies.readexactly(size))  # noqa: S301 - our own child
        except _GONE as error:
            raise WorkerLost(f"the worker process {_ending(await self._process.wait())}") from error
        return succeeded, result

    def signal(self) -> None:
        """Kill it without waiting; a pending `ask` raises WorkerLost."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def kill(self) -> None:
        """Kill it and wait for its end; no `ask` may be pending. May be called twice."""
        self.signal()
        if not self._requests.is_closing():
            self._requests.transport.abort()
        with suppress(*_GONE):
            # asyncio reports an end only once the pipes are empty (CPython gh-119710).
            while await self._replies.read(1 << 16):
                pass
        await self._process.wait()


def _ending(code: int) -> str:
    """How a process ended; a negative code is a signal's number."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}"
