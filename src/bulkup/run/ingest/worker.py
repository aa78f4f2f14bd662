"""The second process of a push: reads small files, hashes and registers them.

Forked by `IngestProcess.fork`, with a socket to the parent (see messages.py) and shared memory for
the files' bytes. It sends no request: the parent sends those that are made here.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import pairwise
from typing import Any, Final

from bulkup.content.reading import Loaded, Whole, hashed, read_whole
from bulkup.errors import SourceError
from bulkup.manifest.database.connection import connect
from bulkup.manifest.queue.uploads import UploadQueue
from bulkup.manifest.rows import Read, Registered, WorkItem
from bulkup.model import Attributes, Digest, Stage
from bulkup.run.ingest.messages import (
    HEADER,
    Answer,
    IngestRows,
    LoadFiles,
    Ok,
    Order,
    Raised,
    SettleUploads,
    Start,
    UseSigner,
    decode,
    encode,
)
from bulkup.run.ingest.write_lock import WriteLock
from bulkup.run.upload.target import UploadTarget
from bulkup.stores.attributes import attributes_for

HEAD_BYTES: Final = 2048
"""Before each body there is room for the head of its request."""


def main(parent: socket.socket, memory: mmap.mmap, write_lock: WriteLock) -> None:
    """Leave the parent's terminal and files alone, and serve until it closes its end."""
    os.setsid()  # Ctrl-C is for the parent: it decides what is finished
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # a reader of the parent's output must see it end
        os.dup2(nothing, standard)
    own = parent.detach()
    kept = sorted((own, write_lock.fileno()))
    for begin, end in pairwise((2, *kept, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(begin + 1, end)
    with socket.socket(fileno=own) as parent:
        serve(parent, memory, write_lock)


def serve(parent: socket.socket, memory: mmap.mmap, write_lock: WriteLock) -> None:
    """Serve until the parent closes its end, which it also does by dying."""
    start = _receive(parent)
    if not isinstance(start, Start):
        return
    with closing(connect(start.manifest)) as connection:
        queue = UploadQueue(connection)
        worker = IngestWorker(queue, memory, write_lock, start.target)
        gc.freeze()
        _send(parent, Ok())
        while (order := _receive(parent)) is not None:
            answer: Answer
            try:
                answer = worker.carry_out(order)
            except Exception as error:  # noqa: BLE001 - the parent raises it
                answer = Raised(error)
            _send(parent, answer)


class SharedSlot:
    """Room for one file after the other, each with that for its request's head before it."""

    __slots__ = ("_end", "_view", "begin")

    def __init__(self, view: memoryview, begin: int, end: int) -> None:
        self._view = view
        self.begin = begin
        self._end = end

    def take(self, size_bytes: int) -> memoryview | None:
        begin = self.begin + HEAD_BYTES
        end = begin + size_bytes
        if end > self._end:
            return None
        self.begin = end
        return self._view[begin:end]


class IngestWorker:
    """Does for small files what the `Loader` does for others."""

    def __init__(
        self, queue: UploadQueue, memory: mmap.mmap, write_lock: WriteLock, target: UploadTarget
    ) -> None:
        self._queue = queue
        self._memory = memory
        self._view = memoryview(memory)
        self._write_lock = write_lock
        self._target = target
        self._head_of: Callable[[str, Digest, int, Attributes], bytes | None] | None = None

    def carry_out(self, order: Order) -> Answer:
        """The answer to an order. Raises what goes wrong."""
        if isinstance(order, LoadFiles):
            return IngestRows(self._load(order))
        if isinstance(order, SettleUploads):
            self._settle(order)
        elif isinstance(order, UseSigner):
            self._head_of = None if order.signer is None else order.signer.begin(time.time)
        return Ok()

    def _load(self, order: LoadFiles) -> list[tuple[Any, ...] | None]:
        slot = SharedSlot(self._view, order.begin, order.end)
        places: list[int | None] = []
        read: list[WorkItem] = []
        whole: list[Whole] = []
        for one in order.items:
            item = tuple.__new__(WorkItem, one)
            place = slot.begin + HEAD_BYTES
            try:
                content = read_whole(item.root, item.folder, item.name, slot)
            except SourceError:
                places.append(None)  # the parent tries again, and says what is wrong
                continue
            if slot.begin < place:  # it has grown, and there was no room
                places.append(None)
                continue
            places.append(place)
            read.append(item)
            whole.append(content)
        loaded = hashed(whole)
        reads = [*map(self._target.read_of, read, loaded)]
        registered = self._register(reads) if reads else []
        found = zip(read, loaded, registered, strict=True)
        return [None if place is None else self._row(place, *next(found)) for place in places]

    def _settle(self, order: SettleUploads) -> None:
        with self._write_lock:
            self._queue.settle(
                order.uploaded(),
                destination_id=self._target.destination_id,
                run_id=self._target.run_id,
                now=order.now,
                follows=None if order.follows is None else Stage(order.follows),
            )

    def _register(self, reads: list[Read]) -> list[Registered]:
        with self._write_lock:
            return self._target.register(self._queue, reads)

    def _row(
        self, begin: int, asked: WorkItem, loaded: Loaded, registered: Registered
    ) -> tuple[Any, ...]:
        """An IngestRow, as it is sent."""
        item, key, is_lost, is_begun, is_same = registered
        other = None if item is asked else tuple(item)
        head_bytes = 0
        if self._head_of is not None and key is not None and not is_begun:
            attributes = attributes_for(
                item.name, loaded.modified_ns, loaded.media_type, self._target.extras
            )
            head = self._head_of(key, loaded.digest, loaded.size_bytes, attributes)
            if head is not None and loaded.size_bytes and len(head) <= HEAD_BYTES:
                head_bytes = len(head)
                self._memory[begin - head_bytes : begin] = head
        return (*loaded[:6], begin, head_bytes, key, is_lost, is_begun, is_same, other)


def _receive(parent: socket.socket) -> Order | None:
    """The next order; None when the parent has gone."""
    header = _exactly(parent, HEADER.size)
    if header is None:
        return None
    kind, size = HEADER.unpack(header)
    body = _exactly(parent, size)
    return None if body is None else decode(kind, body)


def _exactly(parent: socket.socket, size: int) -> bytes | None:
    """So many bytes; None when the parent has gone."""
    data = b""
    while len(data) < size:
        try:
            more = parent.recv(size - len(data))
        except ConnectionError:
            return None
        if not more:
            return None
        data += more
    return data


def _send(parent: socket.socket, answer: Answer) -> None:
    with suppress(ConnectionError):  # then no other order comes
        parent.sendall(encode(answer))
