"""Following processes by pid file, and waiting for them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

RUN_ROOT = Path(os.environ.get("TMPDIR", "/tmp")) / "bulkup-servers"  # for servers run by hand
MARK = ".bulkup-server"  # a directory with this file in it is ours to empty


class ServerFailed(Exception):
    """A server did not start, or does not answer."""


def unmeasured(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without coverage, which doubles what a short process costs."""
    return {name: environ[name] for name in environ if not name.startswith("COVERAGE_PROCESS_")}


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(fact: Callable[[], bool], *, timeout_seconds: float, what: str) -> None:
    """Ask every 50 ms until `fact` holds. Raises ServerFailed naming `what`."""
    end = time.monotonic() + timeout_seconds
    while not fact():
        if time.monotonic() > end:
            raise ServerFailed(f"{what} within {timeout_seconds:g} s")
        time.sleep(0.05)


def alive(pid_file: Path, tag: str) -> int | None:
    """The pid in the file if that process runs and has `tag` in its command line, else None.

    The tag, a path of ours, keeps a reused pid from being taken for our server.
    """
    try:
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (OSError, ValueError):
        return None
    return pid if tag in command else None


def stop(pid_file: Path, tag: str, *, patience_seconds: float = 10) -> None:
    """TERM, then KILL when the process is still there after `patience_seconds`."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = alive(pid_file, tag)
        if pid is None:
            break
        os.kill(pid, number)
        try:
            wait_until(
                lambda: alive(pid_file, tag) is None,
                timeout_seconds=patience_seconds,
                what="the process did not end",
            )
        except ServerFailed:
            continue
    pid_file.unlink(missing_ok=True)


def own(directory: Path) -> None:
    """Make `directory` ours and empty. Raises ServerFailed when it holds something of others."""
    if directory.exists():
        if any(directory.iterdir()) and not (directory / MARK).exists():
            raise ServerFailed(f"{directory} is not empty and not a server's directory")
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / MARK).touch()


def tail(path: Path, lines: int = 5) -> str:
    """The last lines of a log; '' when there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
