"""A second process that reads, hashes and registers small files, while this one sends them.

Python computes on one core; with many small files reading, hashing and the manifest take as long
as signing and sending. What holds the run together stays here: the claims, the window, tries,
credentials, events and the end of every attempt.

    items ──socket──▶ second process: read, hash, register ──socket──▶ keys, digests, stats
                                        └───── shared memory ───────▶ bytes

Both have the manifest open, as two runs do. Whichever process dies, the manifest is right: a
registration is one transaction, and may be made again.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import socket
import sys
import time
from collections import deque
from typing import Any, NamedTuple

from bulkup.content.reading import Loaded
from bulkup.manifest.rows import Registered, UploadedItem, WorkItem
from bulkup.model import Body, Stage
from bulkup.run.ingest.messages import (
    HEADER,
    Answer,
    IngestRow,
    IngestRows,
    LoadFiles,
    Order,
    Raised,
    SettleUploads,
    Start,
    UseSigner,
    decode,
    encode,
)
from bulkup.run.ingest.worker import main
from bulkup.run.ingest.write_lock import WriteLock
from bulkup.run.upload.target import UploadTarget
from bulkup.stores.store import RequestSigner

WORTH_FILES = 64
"""So many small files are worth the second process: to open the manifest there takes some
milliseconds of another core, and each file costs this one half of what it would."""

SLOTS = 3
SLOT_BYTES = 10 << 20
"""Room for one group of files each."""

RESPONSIVE_SECONDS = 0.2
"""Where a group takes longer, from a slow disk, results do not wait behind it."""

BEHIND_ORDERS = 2
"""With so many orders before it a result is recorded here instead."""

END_SECONDS = 5.0
"""What the process gets to end by itself: it may be reading from a disk that does not answer."""


class Ingested(NamedTuple):
    """A file that was read, and what is to be done with it."""

    loaded: Loaded
    registered: Registered
    request: bytes | None  # head and body, ready to be sent


class _Lost(Exception):
    """The process is gone; what it was asked for may have been done."""


class IngestProcess:
    """The second process, as one event loop sees it. Start it once, end it in any case."""

    def __init__(
        self,
        pid: int,
        parent: socket.socket,
        memory: mmap.mmap,
        write_lock: WriteLock,
        *,
        worth_files: int,
    ) -> None:
        """Other writers of this run into the manifest must hold `write_lock`."""
        self.write_lock = write_lock
        self.worth_files = worth_files
        self.pid: int | None = pid  # None once it has ended
        self.is_ready = False
        self._socket = parent
        self._memory = memory
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None  # done when it is ready, or lost
        self._free = list(range(SLOTS))
        self._asked: deque[tuple[int | None, asyncio.Future[Answer]]] = deque()
        self._signer: RequestSigner | None = None
        self._load_seconds = 0.0  # what the last group took

    @classmethod
    def fork(cls, *, worth_files: int = WORTH_FILES) -> IngestProcess | None:
        """The second process: a fork, so that it starts within a millisecond and has imported all
        it needs. Fork before there is a thread, an event loop or an open manifest.

        It waits for orders, and ends when the socket is closed. None where there cannot be one.
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
        return cls(pid, ours, memory, write_lock, worth_files=worth_files)

    @property
    def is_responsive(self) -> bool:
        """Whether an order is carried out soon: one group is before it at the most, and groups do
        not take long. Where more wait, that process is the one that is behind."""
        is_quick = self._load_seconds < RESPONSIVE_SECONDS
        return self.is_ready and is_quick and len(self._asked) < BEHIND_ORDERS

    @property
    def has_started(self) -> bool:
        """Whether it was of use, or was to be."""
        return self._serving is not None

    @property
    def free_slots(self) -> int:
        """How many groups more it could be given."""
        return len(self._free)

    def start(self, manifest: str, target: UploadTarget) -> None:
        """Have the process open the manifest at this path; only the first call counts."""
        if self.pid is not None and self._serving is None:
            self._started = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(Start(manifest, target)))

    async def load(
        self, items: list[WorkItem], signer: RequestSigner | None
    ) -> list[Ingested | None] | None:
        """Each item's file, None where it could not be read; None for all when there is no
        process, or no more. `signer` makes their requests. Raises ManifestError."""
        if self._started is not None and not self._started.done():
            await asyncio.wait((self._started,))
        if not self.is_ready or not self._free:
            return None
        try:
            if signer is not self._signer:
                self._signer = signer
                _raise_error(await self._ask(UseSigner(signer)))
            slot = self._free.pop()
            begin, began = slot * SLOT_BYTES, asyncio.get_running_loop().time()
            answer = await self._ask(LoadFiles.of(begin, begin + SLOT_BYTES, items), slot)
        except _Lost:
            return None
        try:
            self._load_seconds = asyncio.get_running_loop().time() - began
            return self._ingested(items, answer)
        finally:
            self._free.append(slot)

    async def settle(self, done: list[UploadedItem], *, now: float, follows: Stage | None) -> bool:
        """Record contents that the destination now has; see `UploadQueue.settle`.

        False when the process was lost: it may have recorded them. Raises ManifestError.
        """
        stage = None if follows is None else follows.value
        try:
            _raise_error(await self._ask(SettleUploads.of(now, stage, done)))
        except _Lost:
            return False
        return True

    async def _ask(self, order: Order, slot: int | None = None) -> Answer:
        if not self.is_ready:
            raise _Lost
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.append((slot, answer))
        self._send(order)
        return await answer

    def _ingested(self, items: list[WorkItem], answer: Answer) -> list[Ingested | None]:
        _raise_error(answer)
        assert isinstance(answer, IngestRows)
        return [
            None if row is None else self._take(item, tuple.__new__(IngestRow, row))
            for item, row in zip(items, answer.rows, strict=True)
        ]

    def _take(self, item: WorkItem, row: IngestRow) -> Ingested:
        """Copy the file's bytes out of the slot."""
        request = self._memory[row.begin - row.head_bytes : row.begin + row.size_bytes]
        body: Body = memoryview(request)[row.head_bytes :] if row.head_bytes else request
        return Ingested(row.loaded(body), row.registered(item), request if row.head_bytes else None)

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
        pid, self.pid = self.pid, None
        if pid is None:
            return
        self._socket.close()
        if not _has_ended(pid, END_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _has_ended(pid, 1.0)

    async def _serve(self, start: Start) -> None:
        assert self._started is not None
        try:
            reader, self._writer = await asyncio.open_unix_connection(sock=self._socket)
            self._send(start)
            await _receive(reader)
            self.is_ready = True
            self._started.set_result(None)
            while True:
                answer = await _receive(reader)
                slot, asked = self._asked.popleft()
                if not asked.done():
                    asked.set_result(answer)
                elif slot is not None:  # the caller was cancelled
                    self._free.append(slot)
        except (OSError, asyncio.IncompleteReadError):
            pass  # there is none, or it is gone: this process does all of it
        finally:
            self.is_ready = False
            if not self._started.done():
                self._started.set_result(None)
            for _, asked in self._asked:
                if not asked.done():
                    asked.set_exception(_Lost())

    def _send(self, order: Order) -> None:
        assert self._writer is not None
        self._writer.write(encode(order))


def is_possible() -> bool:
    """Whether there can be a second process, and a core for it."""
    if sys.platform != "linux":  # macOS: its frameworks do not outlive a fork
        return False
    return len(os.sched_getaffinity(0)) > 1


def _raise_error(answer: Answer) -> None:
    if isinstance(answer, Raised):
        raise answer.error


async def _receive(reader: asyncio.StreamReader) -> Any:
    kind, size = HEADER.unpack(await reader.readexactly(HEADER.size))
    return decode(kind, await reader.readexactly(size))


def _has_ended(pid: int, seconds: float) -> bool:
    """Whether a child ends within this time: it should as soon as its socket is closed."""
    until = time.monotonic() + seconds
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() >= until:
            return False
        time.sleep(0.001)
    return True
