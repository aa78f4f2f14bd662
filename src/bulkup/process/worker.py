"""The child's side of `workers`: reads jobs from stdin, writes replies to stdout, one at a time.

Started as `python -P -m bulkup.process.worker MEMORY_BYTES ALARM_SECONDS MODULE…`; the modules are
imported before the first job. A frame is its length in 8 bytes, big-endian, and a pickle: for a
job (function, argument), for a reply (worked, result or exception). The first frame says that the
worker is ready.
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
"""Of -1000 to 1000: the kernel, when it must kill, takes a worker before anything else."""


def main(memory_bytes: int, alarm_seconds: int, modules: list[str]) -> None:
    """Serve until stdin ends, which it also does when the parent is gone, however it went."""
    jobs, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _leave_signals_to_the_parent()
    _limit(memory_bytes)
    for module in modules:
        importlib.import_module(module)
    _silence()
    _reply(replies, (True, None))
    while (job := _frame(jobs)) is not None:
        signal.alarm(alarm_seconds)  # should the parent not be there any more to watch the time
        answer = _answer(job)
        signal.alarm(0)
        _reply(replies, answer)


def _answer(job: bytes) -> tuple[bool, Any]:
    try:
        function, argument = pickle.loads(job)  # noqa: S301 - from our own parent
        return True, function(argument)
    except Exception as error:  # noqa: BLE001 - it is raised again in the parent
        if not isinstance(error, MemoryError):
            error.add_note("".join(traceback.format_exception(error)))
        return False, error.with_traceback(None)


def _reply(replies: BinaryIO, answer: tuple[bool, Any]) -> None:
    try:
        body = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
        if isinstance(answer[1], Exception):
            pickle.loads(body)  # noqa: S301 - some exceptions can be written but not read again
    except Exception:  # noqa: BLE001 - then its words have to do
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


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C and systemd signal every process; only the parent knows what is to be finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _limit(memory_bytes: int) -> None:
    """No more memory of our own than this, and no core dumps.

    RLIMIT_DATA counts private writable memory (Linux 4.7 and later), so that mapped libraries and
    the address space that allocators reserve are free. Systems that do not enforce it have only
    the time and pixel limits.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
        score.write(_OUT_OF_MEMORY_SCORE)


def _silence() -> None:
    """C libraries write warnings to stderr, and some to stdout: neither is theirs."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
