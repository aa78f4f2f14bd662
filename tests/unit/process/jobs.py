"""What the tests ask workers to do: well-behaved work, and every way of not coming back."""

from __future__ import annotations

import os
import signal
import sys
import time


class Unreadable(Exception):
    """Can be pickled, and not read again: its constructor wants more than its message."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def pid_and(value: object) -> tuple[int, object]:
    return os.getpid(), value


def misbehave(how: str) -> object:
    match how:
        case "abort":
            os.abort()
        case "exit":
            os._exit(1)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "memory":
            return len(bytearray(4 << 30))
        case "raise":
            raise ValueError("said by the job")
        case "raise what cannot be read":
            raise Unreadable("a", "b")
        case "print":
            os.write(1, b"noise of a C library")
            sys.stderr.write("more noise")
            return None
        case "end as told":
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            return "went on"
    return how
