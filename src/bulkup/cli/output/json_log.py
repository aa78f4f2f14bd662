"""Events as JSON lines: `--json` on standard output, `--log-file` in a file.

Every line is one object with `at` (RFC 3339, UTC), `run_id` (null before the run has one) and
`event`, then the event's own fields. Lines are ASCII: a byte of a file name that is no UTF-8
stands as `\\udcXX`, which Python's own JSON reader turns back into the same name.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Self

from bulkup.errors import UsageError
from bulkup.events import Event, RunStarted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bulkup.clock import Clock

# Events, most of them about many files: some tens of megabytes. Beyond that, a reader that has
# stopped reading holds the run up, which is better than taking all memory.
_QUEUE_LENGTH = 4096
_LOG_MODE = 0o600  # names of private pictures are private


def open_log(path: str) -> int:
    """A file descriptor that appends to the log; made with mode 0600. Raises UsageError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, _LOG_MODE)
    except OSError as error:
        raise UsageError(
            f"--log-file {path}: {error.strerror}", hint="Name a file in a folder you may write."
        ) from error


def json_lines(event: Event, *, at: float, run_id: str | None) -> bytes:
    """The lines of one event, each ending in a newline. `at` is seconds since 1970, UTC."""
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    head = {"at": stamp.replace("+00:00", "Z"), "run_id": run_id}
    lines = (json.dumps({**head, **line}, default=str) for line in event.as_json())
    return "".join(f"{line}\n" for line in lines).encode("ascii")


class JsonLog:
    """Writes events to file descriptors, in order, from a thread of its own.

    `emit` returns at once unless a reader is thousands of events behind. Each event reaches each
    descriptor whole, by one write where the system takes it, so that several runs may append to
    one log. A descriptor that fails (a closed pipe, a full disk) is given up for good, and the run
    goes on. Descriptors are not closed here.
    """

    def __init__(self, descriptors: Iterable[tuple[str, int]], clock: Clock) -> None:
        """`descriptors` are (name for messages, file descriptor)."""
        self._open = dict(descriptors)
        self._clock = clock
        self._run_id: str | None = None
        self._lost: list[str] = []
        self._queue: Queue[tuple[float, str | None, Event] | None] = Queue(_QUEUE_LENGTH)
        self._thread = Thread(target=self._write_all, name="bulkup-journal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left, however long the reader takes."""
        self._queue.put(None)
        self._thread.join()

    def emit(self, event: Event) -> None:
        """Take an event, with the time it has now. An Emit of `bulkup.events`."""
        if isinstance(event, RunStarted):
            self._run_id = event.run_id
        self._queue.put((self._clock.now(), self._run_id, event))

    @property
    def lost(self) -> Sequence[str]:
        """A message for each descriptor given up, but for readers that went away: they know."""
        return tuple(self._lost)

    def _write_all(self) -> None:
        while (taken := self._queue.get()) is not None:
            if not self._open:
                continue
            at, run_id, event = taken
            lines = json_lines(event, at=at, run_id=run_id)
            for name, descriptor in list(self._open.items()):
                try:
                    _write(descriptor, lines)
                except BrokenPipeError:
                    del self._open[name]
                except OSError as error:
                    del self._open[name]
                    self._lost.append(f"{name}: {error.strerror}: later events are missing there")


def _write(descriptor: int, lines: bytes) -> None:
    """All of it, past Python's buffers: what they held after a closed pipe would fail the exit."""
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
