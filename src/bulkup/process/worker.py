"""A worker process: reads jobs from stdin and writes replies to stdout, one at a time.

Started as `python -P -m bulkup.process.worker MEMORY_BYTES ALARM_SECONDS MODULE…`; the modules are
imported before the first job. A frame is its length in 8 bytes, big-endian, and a pickle: of
(function, argument) for a job, of (succeeded, result or exception) for a reply. The first reply
says that the worker is ready, an empty frame before each other one that it has read the job.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import struct
import sys
import traceback
from typing import Any, BinaryIO, Final

FRAME: Final = struct.Struct(">Q")
_OUT_OF_MEMORY_SCORE: Final = b"500"
"""From -1000 to 1000: out of memory, the kernel kills workers first."""


def main(memory_bytes: int, alarm_seconds: int, modules: list[str]) -> None:
    """Serve until stdin ends, as it does when the parent exits or dies."""
    jobs, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _ignore_signals()
    _limit(memory_bytes)
    for module in modules:
        importlib.import_module(module)
    _close_output()
    _reply(replies, (True, None))
    while (job := _frame(jobs)) is not None:
        replies.write(FRAME.pack(0))
        replies.flush()
        signal.alarm(alarm_seconds)  # in case the parent is gone and no longer watches the time
        answer = _answer(job)
        signal.alarm(0)
        _reply(replies, answer)


def _answer(job: bytes) -> tuple[bool, Any]:
    try:
        function, argument = pickle.loads(job)  # noqa: S301 - from our own parent
        return True, function(argument)
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        if not isinstance(error, MemoryError):
            error.add_note("".join(traceback.format_exception(error)))
        return False, error.with_traceback(None)


def _reply(replies: BinaryIO, answer: tuple[bool, Any]) -> None:
    try:
        body = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
        if isinstance(answer[1], Exception):
            pickle.loads(body)  # noqa: S301 - some exceptions can be pickled but not unpickled
    except Exception:  # noqa: BLE001 - send its text instead
        body = pickle.dumps((False, RuntimeError(repr(answer[1])[:2000])))
    replies.write(FRAME.pack(len(body)))
    replies.write(body)
    replies.flush()


def _frame(jobs: BinaryIO) -> bytes | None:
    head = jobs.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    (size,) = FRAME.unpack(head)
    return jobs.read(size)


def _ignore_signals() -> None:
    """Ctrl-C and systemd signal every process; the parent decides what is still to be done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _limit(memory_bytes: int) -> None:
    """Limit this process's own memory, and disable core dumps.

    RLIMIT_DATA counts private writable memory (Linux 4.7 and later), but neither mapped libraries
    nor reserved address space. Where it is not enforced, the time and pixel limits remain.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
        score.write(_OUT_OF_MEMORY_SCORE)


def _close_output() -> None:
    """Discard what C libraries print to stdout and stderr."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
