"""A second process that reads, hashes and registers small files, while this one sends them.

Python computes on one core; with many small files reading, hashing and the manifest take as long
as signing and sending. What holds the run together stays here: the claims, the window, tries,
credentials, events and the end of every attempt.

    works ──socket──▶ second process: read, hash, register ──socket──▶ keys, digests, stats
                                        └───── shared memory ───────▶ bytes

Both have the manifest open, as two runs do. Whichever process dies, the manifest is right: a
registration is one transaction, and may be made again.
"""

from __future__ import annotations

import asyncio
import marshal
import mmap
import os
import pickle
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple

from bulkup.manifest.rows import Done, Registered, Work
from bulkup.model import Body, Stage
from bulkup.run.aside_process import FRAME, LOAD, PREPARE, SETTLE
from bulkup.stores.store import Preparing
from bulkup.upload.reading import Loaded

SLOTS = 3
SLOT_BYTES = 10 << 20
"""Room for one group of files each."""

PROMPT_SECONDS = 0.2
"""Where a group takes longer, from a slow disk, outcomes do not wait behind it."""

END_SECONDS = 5.0
"""What the process gets to end by itself: it may be reading from a disk that does not answer."""


class Taken(NamedTuple):
    """A file that was read, and what is to be done with it."""

    loaded: Loaded
    registered: Registered
    request: bytes | None  # head and body, ready to be sent


class AsideLost(Exception):
    """The second process is gone; what it was asked for may have been done."""


def is_possible() -> bool:
    """Whether a second process can be had, and a core for it."""
    return hasattr(os, "memfd_create") and len(os.sched_getaffinity(0)) > 1


class Aside:
    """The second process, as the event loop sees it. Start it once, close it at the end."""

    def __init__(self, target: tuple[Any, ...]) -> None:
        """`target` is the manifest's path and, by position, what `Reader` takes besides."""
        self._target = target
        self._process: subprocess.Popen[bytes] | None = None
        self._memory: mmap.mmap | None = None
        self._socket: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None
        self._free = list(range(SLOTS))
        self._asked: deque[tuple[int | None, asyncio.Future[tuple[bool, Any]]]] = deque()
        self._preparing: Preparing | None = None
        self._load_seconds = 0.0  # what the last group took
        self.is_ready = False

    @property
    def is_prompt(self) -> bool:
        """Whether what is asked now is done soon."""
        return self.is_ready and self._load_seconds < PROMPT_SECONDS

    def start(self) -> None:
        """Begin to start the process, once; it is of use when `is_ready`."""
        self._serving = asyncio.create_task(self._serve())

    async def load(
        self, works: list[Work], preparing: Preparing | None = None
    ) -> list[Taken | None]:
        """What became of each work; None where the file could not be read. Requests are made
        ready by `preparing`.

        Raises AsideLost, ManifestError.
        """
        if preparing is not self._preparing:
            self._preparing = preparing
            await self._ask((PREPARE, None if preparing is None else pickle.dumps(preparing)))
        if not self._free:
            raise AsideLost
        slot = self._free.pop()
        begin = slot * SLOT_BYTES
        order = (LOAD, begin, begin + SLOT_BYTES, [tuple(work) for work in works])
        began = asyncio.get_running_loop().time()
        found = await self._ask(order, slot)
        self._load_seconds = asyncio.get_running_loop().time() - began
        taken = [
            None if row is None else self._take(work, row)
            for work, row in zip(works, found, strict=True)
        ]
        self._free.append(slot)
        return taken

    async def settle(self, done: list[Done], *, now: float, follows: Stage | None) -> None:
        """Record contents that the destination now has; see `Queue.settle`.

        Raises AsideLost, ManifestError.
        """
        stage = None if follows is None else follows.value
        await self._ask((SETTLE, now, stage, [(tuple(one.work), *one[1:]) for one in done]))

    async def _ask(self, order: tuple[Any, ...], slot: int | None = None) -> Any:
        if not self.is_ready:
            raise AsideLost
        answer: asyncio.Future[tuple[bool, Any]] = asyncio.get_running_loop().create_future()
        self._asked.append((slot, answer))
        self._send(order)
        worked, found = await answer
        if worked:
            return found
        raise pickle.loads(found)  # noqa: S301 - our own child

    def _take(self, work: Work, row: tuple[Any, ...]) -> Taken:
        digest, size, modified_ns, inode, changed_ns, media_type, begin, head_bytes = row[:8]
        key, is_lost, is_begun, other = row[8:]
        assert self._memory is not None
        body: Body
        body = request = self._memory[begin - head_bytes : begin + size]
        if head_bytes:
            body = memoryview(request)[head_bytes:]
        loaded = Loaded(digest, size, modified_ns, inode, changed_ns, media_type, body)
        now = Work(*other) if other else work
        registered = Registered(now, key, is_lost, is_begun)
        return Taken(loaded, registered, request if head_bytes else None)

    async def close(self) -> None:
        """End the process, and return when it has ended. May be called twice."""
        self.is_ready = False
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        elif self._socket is not None:
            self._socket.close()
        if self._process is not None:
            await asyncio.to_thread(_end, self._process)

    async def _serve(self) -> None:
        try:
            reader = await self._begin()
            await _frame(reader)
            self.is_ready = True
            while True:
                answer = await _frame(reader)
                slot, asked = self._asked.popleft()
                if not asked.done():
                    asked.set_result(answer)
                elif slot is not None:  # whoever asked was cancelled
                    self._free.append(slot)
        except (OSError, asyncio.IncompleteReadError):
            pass  # there is none, or it is gone: all is done here, then
        finally:
            self.is_ready = False
            for _, asked in self._asked:
                if not asked.done():
                    asked.set_exception(AsideLost())

    async def _begin(self) -> asyncio.StreamReader:
        """Start the process and tell it what it must know. Raises OSError."""
        self._socket, theirs = socket.socketpair()
        memory = os.memfd_create("bulkup", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory, SLOTS * SLOT_BYTES)
            self._memory = mmap.mmap(memory, 0)
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - ourselves; it takes 1 ms
                [
                    sys.executable,
                    "-P",  # a picture folder may hold a file named queue.py
                    "-m",
                    "bulkup.run.aside_process",
                    str(theirs.fileno()),
                    str(memory),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), memory),
                start_new_session=True,  # Ctrl-C is for the parent
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        finally:
            theirs.close()
            os.close(memory)
        reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
        self._send(self._target)
        return reader

    def _send(self, value: Any) -> None:
        assert self._writer is not None
        body = marshal.dumps(value)
        self._writer.write(FRAME.pack(len(body)) + body)


async def _frame(reader: asyncio.StreamReader) -> Any:
    (size,) = FRAME.unpack(await reader.readexactly(FRAME.size))
    return marshal.loads(await reader.readexactly(size))  # noqa: S302 - from our own child


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has seen that its socket is closed. One that reads from a disk that
    does not answer is killed, and left behind if need be."""
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
