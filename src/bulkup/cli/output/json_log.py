"""Events as JSON lines: `--json` on standard output, `--log-file` in a file.

Every line is one object with `at` (RFC 3339, UTC), `run_id` (null before the run has one) and
`event`, then the event's own fields. Lines are ASCII: a byte of a file name that is not UTF-8
becomes `\\udcXX`, which Python's JSON reader turns back into the same name.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from queue import Full, Queue, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Self

from bulkup.errors import UsageError
from bulkup.events import Event, RunStarted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bulkup.clock import Clock

# Events, most of them about many files: some tens of megabytes. A slow reader beyond that slows the
# run down, which is better than taking all memory.
_QUEUE_LENGTH = 4096
# A reader that takes nothing for so long is given up: the run must not hang with it.
_STALLED_SECONDS = 60.0
_LOG_MODE = 0o600  # names of private pictures are private


def open_log(path: str) -> int:
    """A file descriptor that appends to the log; created with mode 0600. Raises UsageError, also
    for a file that is no log of bulkup's."""
    from bulkup.reporting.atomic_file import is_new_or_ours, open_stream

    if os.path.isfile(path) and not is_new_or_ours(path, _is_log):
        raise UsageError(
            f"--log-file {path}: is a file that bulkup did not write",
            hint="Choose a new file, or a log of bulkup's.",
        )
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return open_stream(path, flags, _LOG_MODE)
    except OSError as error:
        raise UsageError(
            f"--log-file {path}: {error.strerror}",
            hint="Choose a file in a directory that you can write to.",
        ) from error


def reopen_log(path: str, descriptor: int) -> None:
    """Let the descriptor lead to a new file where the old one was moved away. If that cannot be
    opened, it keeps the old one. Safe while another thread writes."""
    try:
        new = open_log(path)
    except UsageError:
        return
    os.dup2(new, descriptor, inheritable=False)
    os.close(new)


def _is_log(head: bytes) -> bool:
    return head.startswith(b'{"at": "') and b'"run_id": ' in head


def json_lines(event: Event, *, at: float, run_id: str | None) -> bytes:
    """The lines of one event, each ending in a newline. `at` is seconds since 1970, UTC."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    head = {"at": stamp.replace("+00:00", "Z"), "run_id": run_id}
    lines = (json.dumps({**head, **line}, default=str) for line in event.as_json())
    return "".join(f"{line}\n" for line in lines).encode("ascii")


class JsonLog:
    """Writes events to file descriptors, in order, from a thread of its own.

    Each event reaches each descriptor whole, by one write where the system takes it, so that
    several runs may append to one log. A descriptor that fails (a closed pipe, a full disk) or
    stalls is given up for good, and the run continues. Descriptors are not closed here.
    """

    def __init__(
        self,
        descriptors: Iterable[tuple[str, int]],
        clock: Clock,
        *,
        queue_length: int = _QUEUE_LENGTH,
        stalled_seconds: float = _STALLED_SECONDS,
    ) -> None:
        """`descriptors` are (name for messages, file descriptor)."""
        self._open = dict(descriptors)
        self._clock = clock
        self._stalled_seconds = stalled_seconds
        self._run_id: str | None = None
        self._lost: SimpleQueue[str] = SimpleQueue()
        self._queue: Queue[tuple[float, str | None, Event] | None] = Queue(queue_length)
        self._written = 0  # events
        self._thread = Thread(target=self._write_all, name="bulkup-json-log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until everything is written, as long as the readers take anything."""
        self._put(None)
        written = -1
        while self._open and self._thread.is_alive() and written != self._written:
            written = self._written
            self._thread.join(self._stalled_seconds)
        if self._thread.is_alive():
            self._give_up_all("stopped reading")

    def emit(self, event: Event) -> None:
        """Queue an event, with the current time. Returns at once unless the queue is full.

        An Emit of `bulkup.events`.
        """
        if isinstance(event, RunStarted):
            self._run_id = event.run_id
        self._put((self._clock.now(), self._run_id, event))

    def take_lost(self) -> Iterator[str]:
        """A message for each descriptor given up, once. A reader that closed its pipe gets none."""
        while not self._lost.empty():
            yield self._lost.get()

    def _put(self, item: tuple[float, str | None, Event] | None) -> None:
        while self._open:
            written = self._written
            try:
                self._queue.put(item, timeout=self._stalled_seconds)
            except Full:
                if written == self._written:
                    self._give_up_all("stopped reading")
            else:
                return

    def _give_up_all(self, reason: str) -> None:
        for name in list(self._open):
            self._give_up(name, reason)

    def _give_up(self, name: str, reason: str) -> None:
        if self._open.pop(name, None) is not None:
            self._lost.put(f"{name}: {reason}; later events are not written there")

    def _write_all(self) -> None:
        try:
            while self._open and (item := self._queue.get()) is not None:
                at, run_id, event = item
                lines = json_lines(event, at=at, run_id=run_id)
                for name, descriptor in list(self._open.items()):
                    self._write(name, descriptor, lines)
                self._written += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else empties the queue
            self._give_up_all(f"{type(error).__name__}: {error}")

    def _write(self, name: str, descriptor: int, lines: bytes) -> None:
        try:
            _write(descriptor, lines)
        except BrokenPipeError:
            self._open.pop(name, None)
        except OSError as error:
            self._give_up(name, str(error.strerror))


def _write(descriptor: int, lines: bytes) -> None:
    """Write all of it, unbuffered: what a buffer held after a closed pipe would fail the exit."""
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
