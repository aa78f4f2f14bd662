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
import signal
import socket
import sys
import time
from collections import deque
from typing import Any, NamedTuple

from bulkup.content.reading import Loaded
from bulkup.manifest.rows import Registered, UploadedItem, WorkItem
from bulkup.model import Body, Stage
from bulkup.run.ingest.worker import FRAME, LOAD, PREPARE, SETTLE, main
from bulkup.run.ingest.write_lock import WriteLock
from bulkup.stores.store import RequestSigner

SLOTS = 3
SLOT_BYTES = 10 << 20
"""Room for one group of files each."""

PROMPT_SECONDS = 0.2
"""Where a group takes longer, from a slow disk, outcomes do not wait behind it."""

BEHIND_ORDERS = 2
"""With so many orders before it an outcome is recorded here instead."""

END_SECONDS = 5.0
"""What the process gets to end by itself: it may be reading from a disk that does not answer."""


class Ingested(NamedTuple):
    """A file that was read, and what is to be done with it."""

    loaded: Loaded
    registered: Registered
    request: bytes | None  # head and body, ready to be sent


class IngestProcessLost(Exception):
    """The second process is gone; what it was asked for may have been done."""


def is_possible() -> bool:
    """Whether a second process can be had, and a core for it."""
    if sys.platform != "linux":  # macOS: its frameworks do not outlive a fork
        return False
    return len(os.sched_getaffinity(0)) > 1


def fork_ingest_process() -> IngestProcess | None:
    """The second process: a fork, so that it starts within a millisecond and has imported all it
    needs. Fork before there is a thread, an event loop or an open manifest.

    It waits until it is told what to do, and ends when the socket is closed. None where there
    cannot be one.
    """
    if not is_possible():
        return None
    memory = mmap.mmap(-1, SLOTS * SLOT_BYTES)
    ours, theirs = socket.socketpair()
    try:
        write_lock = WriteLock()
        pid = os.fork()
    except OSError:  # too many processes, too little memory, a sandbox
        ours.close()
        theirs.close()
        return None
    if pid == 0:
        try:
            main(theirs, memory, write_lock)
        finally:
            os._exit(0)  # the parent's stack is below this one
    theirs.close()
    return IngestProcess(pid, ours, memory, write_lock)


class IngestProcess:
    """The second process, as one event loop sees it. Start it once, end it in any case."""

    def __init__(
        self, pid: int, parent: socket.socket, memory: mmap.mmap, write_lock: WriteLock
    ) -> None:
        """`turns` are to be taken by whoever else writes into the manifest here."""
        self.write_lock = write_lock
        self._pid: int | None = pid  # None once it has ended
        self._socket = parent
        self._memory = memory
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None  # done when it is ready, or lost
        self._free = list(range(SLOTS))
        self._asked: deque[tuple[int | None, asyncio.Future[tuple[bool, Any]]]] = deque()
        self._request_signer: RequestSigner | None = None
        self._load_seconds = 0.0  # what the last group took
        self.is_ready = False

    @property
    def is_responsive(self) -> bool:
        """Whether what is asked now is done soon: one group is before it at the most, and groups
        do not take long. Where more wait, that process is the one that is behind."""
        is_quick = self._load_seconds < PROMPT_SECONDS
        return self.is_ready and is_quick and len(self._asked) < BEHIND_ORDERS

    def start(self, target: tuple[Any, ...]) -> None:
        """Tell the process what it is for; it is of use when `is_ready`. Once.

        `target` is the manifest's path and, by position, what `Reader` takes besides.
        """
        if self._pid is not None and self._serving is None:
            self._started = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(target))

    async def wait_until_ready(self) -> bool:
        """Whether the process is of use, once that is known: some milliseconds after its start."""
        if self._started is not None and not self._started.done():
            await asyncio.wait((self._started,))
        return self.is_ready

    async def load(
        self, works: list[WorkItem], request_signer: RequestSigner | None = None
    ) -> list[Ingested | None]:
        """What became of each work; None where the file could not be read. Requests are made
        ready by `preparing`.

        Raises AsideLost, ManifestError.
        """
        if request_signer is not self._request_signer:
            self._request_signer = request_signer
            await self._ask(
                (PREPARE, None if request_signer is None else pickle.dumps(request_signer))
            )
        if not self._free:
            raise IngestProcessLost
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

    async def settle(self, done: list[UploadedItem], *, now: float, follows: Stage | None) -> None:
        """Record contents that the destination now has; see `Queue.settle`.

        Raises AsideLost, ManifestError.
        """
        stage = None if follows is None else follows.value
        await self._ask((SETTLE, now, stage, [(tuple(one.item), *one[1:]) for one in done]))

    async def _ask(self, order: tuple[Any, ...], slot: int | None = None) -> Any:
        if not self.is_ready:
            raise IngestProcessLost
        answer: asyncio.Future[tuple[bool, Any]] = asyncio.get_running_loop().create_future()
        self._asked.append((slot, answer))
        self._send(order)
        worked, found = await answer
        if worked:
            return found
        raise pickle.loads(found)  # noqa: S301 - our own child

    def _take(self, work: WorkItem, row: tuple[Any, ...]) -> Ingested:
        digest, size, modified_ns, inode, changed_ns, media_type, begin, head_bytes = row[:8]
        key, is_lost, is_begun, other = row[8:]
        body: Body
        body = request = self._memory[begin - head_bytes : begin + size]
        if head_bytes:
            body = memoryview(request)[head_bytes:]
        loaded = Loaded(digest, size, modified_ns, inode, changed_ns, media_type, body)
        now = WorkItem(*other) if other else work
        registered = Registered(now, key, is_lost, is_begun)
        return Ingested(loaded, registered, request if head_bytes else None)

    async def close(self) -> None:
        """End the process, and return when it has ended. May be called twice."""
        self.is_ready = False
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        await asyncio.to_thread(self.end)

    def end(self) -> None:
        """The same where there is no event loop, or not any more.

        A process that reads from a disk that does not answer is killed, and left behind if need be.
        """
        pid, self._pid = self._pid, None
        if pid is None:
            return
        self._socket.close()
        if not _has_ended(pid, END_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _has_ended(pid, 1.0)

    async def _serve(self, target: tuple[Any, ...]) -> None:
        assert self._started is not None
        try:
            reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
            self._send(target)
            await _frame(reader)
            self.is_ready = True
            self._started.set_result(None)
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
            if not self._started.done():
                self._started.set_result(None)
            for _, asked in self._asked:
                if not asked.done():
                    asked.set_exception(IngestProcessLost())

    def _send(self, value: Any) -> None:
        assert self._writer is not None
        body = marshal.dumps(value)
        self._writer.write(FRAME.pack(len(body)) + body)


async def _frame(reader: asyncio.StreamReader) -> Any:
    (size,) = FRAME.unpack(await reader.readexactly(FRAME.size))
    return marshal.loads(await reader.readexactly(size))  # noqa: S302 - from our own child


def _has_ended(pid: int, seconds: float) -> bool:
    """Whether a child ends within this time: it should as soon as it sees its socket closed."""
    until = time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() >= until:
            return False
        time.sleep(0.001)
    return True
