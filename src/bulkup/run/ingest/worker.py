"""The second process of a push: reads small files, hashes and registers them.

Forked by `aside.fork_aside`, with a stream socket to the parent and shared memory in which the
files' bytes are handed over. A frame is its length in 4 bytes, big-endian, and a marshalled value.
The first frame holds the manifest's path and what `Reader` takes; its answer, None, says that the
process is ready. Then one answer (worked, result or pickled exception) for each order (LOAD, SETTLE
or PREPARE, and its arguments), one after the other. No request is sent from here: the parent sends
those made here.
"""

from __future__ import annotations

import gc
import marshal
import mmap
import os
import pickle
import signal
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

from bulkup.content.reading import Loaded, Whole, hashed, read_whole
from bulkup.errors import SourceError
from bulkup.manifest.database.connection import connect
from bulkup.manifest.queue.uploads import UploadQueue
from bulkup.manifest.rows import File, Read, Registered, UploadedItem, WorkItem
from bulkup.model import Attributes, Digest, Stage
from bulkup.run.ingest.write_lock import WriteLock
from bulkup.stores.attributes import Extras, attributes_for
from bulkup.stores.keys import key_for, spare_key

FRAME: Final = struct.Struct(">I")
LOAD: Final = "load"
SETTLE: Final = "settle"
PREPARE: Final = "prepare"

HEAD_BYTES: Final = 2048
"""Before each body there is room for the head of its request."""

Prepare = Callable[[str, Digest, int, Attributes], bytes | None]

Row = tuple[Any, ...] | None
"""What became of one work: None when it could not be read here; else (digest, size, modified_ns,
inode, changed_ns, media type, where its bytes begin, how many bytes before them are the head of its
request, key or None, is_lost, is_begun, and the work as a tuple where it is another one now, else
None)."""


def main(parent: socket.socket, memory: mmap.mmap, write_lock: WriteLock) -> None:
    """Leave the parent's terminal and files alone, and serve until it closes its end."""
    os.setsid()  # Ctrl-C is for the parent: only it knows what is to be finished
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # whoever reads the parent's output must see it end
        os.dup2(nothing, standard)
    own = parent.detach()
    kept = sorted((own, write_lock.fileno()))
    for begin, end in pairwise((2, *kept, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(begin + 1, end)
    with socket.socket(fileno=own) as parent:
        serve(parent, memory, write_lock)


def serve(parent: socket.socket, memory: mmap.mmap, write_lock: WriteLock) -> None:
    """Serve until the parent closes its end, which it also does by dying."""
    target = _receive(parent)
    if target is None:
        return
    path, *rest = target
    connection = connect(path)
    reader = IngestWorker(UploadQueue(connection), memory, write_lock, *rest)
    gc.freeze()
    _send(parent, None)
    while (order := _receive(parent)) is not None:
        answer: tuple[bool, Any]
        try:
            kind, *arguments = order
            answer = (True, reader.orders[kind](*arguments))
        except Exception as error:  # noqa: BLE001 - it is raised again in the parent
            answer = (False, pickle.dumps(error))
        _send(parent, answer)
    connection.close()


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
    """Does what `Loading` does with small files."""

    def __init__(
        self,
        queue: UploadQueue,
        memory: mmap.mmap,
        write_lock: WriteLock,
        destination_id: int,
        batch_id: int,
        run_id: str,
        prefix: str,
        layout: Any,
        copies_duplicates: bool,
        extras: bytes,
    ) -> None:
        """`extras` are pickled, as `preparing` of `prepare` is."""
        self._queue = queue
        self._memory = memory
        self._turns = write_lock
        self._view = memoryview(memory)
        self._destination_id = destination_id
        self._batch_id = batch_id
        self._run_id = run_id
        self._prefix = prefix
        self._layout = layout
        self._copies_duplicates = copies_duplicates
        self._extras: Extras = pickle.loads(extras)  # noqa: S301 - from our own parent
        self._prepare: Prepare | None = None
        self.orders: dict[str, Callable[..., Any]] = {
            LOAD: self.load,
            SETTLE: self.settle,
            PREPARE: self.prepare,
        }

    def prepare(self, request_signer: bytes | None) -> None:
        """Make requests ready from now on, or with None no more."""
        self._prepare = None
        if request_signer is not None:
            self._prepare = pickle.loads(request_signer).begin(time.time)  # noqa: S301 - as above

    def load(self, begin: int, end: int, works: list[tuple[Any, ...]]) -> list[Row]:
        """Read the works' files into `memory[begin:end]` and register what was read; make the
        requests of what is to be sent."""
        slot = SharedSlot(self._view, begin, end)
        places: list[int | None] = []
        read: list[WorkItem] = []
        whole: list[Whole] = []
        for one in works:
            work = WorkItem(*one)
            place = slot.begin + HEAD_BYTES
            try:
                content = read_whole(work.root, work.folder, work.name, slot)
            except SourceError:
                places.append(None)  # the parent tries again, and says what is wrong
                continue
            if slot.begin < place:  # it has grown, and there was no room
                places.append(None)
                continue
            places.append(place)
            read.append(work)
            whole.append(content)
        loaded = hashed(whole)
        reads = [*map(self._read, read, loaded)]
        registered = self._register(reads) if reads else []
        found = zip(read, loaded, registered, strict=True)
        return [None if place is None else self._row(place, *next(found)) for place in places]

    def settle(self, now: float, follows: str | None, done: list[tuple[Any, ...]]) -> None:
        """Record contents that the destination has; each is a `UploadedItem` in plain tuples."""
        with self._turns:
            self._queue.settle(
                [UploadedItem(WorkItem(*one[0]), *one[1:]) for one in done],
                [],
                destination_id=self._destination_id,
                run_id=self._run_id,
                now=now,
                follows=None if follows is None else Stage(follows),
            )

    def _register(self, reads: list[Read]) -> list[Registered]:
        with self._turns:
            return self._queue.register(
                reads,
                destination_id=self._destination_id,
                batch_id=self._batch_id,
                run_id=self._run_id,
                copy=self._copies_duplicates,
                spare_key=spare_key,
            )

    def _read(self, work: WorkItem, loaded: Loaded) -> Read:
        digest, size_bytes, modified_ns, inode, changed_ns, media_type, *_ = loaded
        return Read(
            work,
            digest,
            File(work.name, size_bytes, modified_ns, inode, changed_ns),
            media_type,
            key_for(self._prefix, work.folder + work.name, digest, self._layout),
        )

    def _row(self, begin: int, asked: WorkItem, loaded: Loaded, registered: Registered) -> Row:
        work, key, is_lost, is_begun = registered
        other = None if work is asked else tuple(work)
        head_bytes = 0
        if self._prepare is not None and key is not None and not is_begun:
            attributes = attributes_for(
                work.name, loaded.modified_ns, loaded.media_type, self._extras
            )
            head = self._prepare(key, loaded.digest, loaded.size_bytes, attributes)
            if head is not None and loaded.size_bytes and len(head) <= HEAD_BYTES:
                head_bytes = len(head)
                self._memory[begin - head_bytes : begin] = head
        return (*loaded[:6], begin, head_bytes, key, is_lost, is_begun, other)


def _receive(parent: socket.socket) -> Any:
    head = _exactly(parent, FRAME.size)
    if head is None:
        return None
    body = _exactly(parent, FRAME.unpack(head)[0])
    return None if body is None else marshal.loads(body)  # noqa: S302 - from our own parent


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


def _send(parent: socket.socket, value: Any) -> None:
    body = marshal.dumps(value)
    with suppress(ConnectionError):  # the next order will not come, then
        parent.sendall(FRAME.pack(len(body)) + body)
