"""Measuring a whole process: wall time, CPU, memory, exit code. Linux only."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A small process starts the command: the peak memory that the kernel reports of a child begins
# with that of the process that forked it.
LAUNCHER = """
import os, sys, time
report, argv = int(sys.argv[1]), sys.argv[2:]
begin = time.perf_counter()
pid = os.fork()
if pid == 0:
    os.set_inheritable(report, False)
    try:
        os.execvp(argv[0], argv)
    except OSError as exc:
        os.write(2, f"{argv[0]}: {exc}\\n".encode())
        os._exit(127)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - begin
cpu = used.ru_utime + used.ru_stime
code = os.waitstatus_to_exitcode(status)
os.write(report, f"{wall} {cpu} {used.ru_maxrss} {code}".encode())
"""
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one command. CPU counts the children that it waited for.

    Peak memory is the largest resident size, or, where the command had children, the largest sum
    of the proportional sizes (PSS: shared pages counted once).
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    exit_code: int
    sent_share: float | None = None  # bytes of bodies that the server got, of the files' bytes


def measure(
    argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path, limit_seconds: float
) -> Measured:
    """Run the command to its end, its output appended to `log`; killed after `limit_seconds`."""
    readable, writable = os.pipe()
    words = [str(word) for word in argv]
    with log.open("ab") as output:
        output.write(f"\n$ {shlex.join(words)}\n".encode())
        output.flush()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, str(writable), *words],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(writable,),
        )
    os.close(writable)
    timer = threading.Timer(limit_seconds, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    memory = _TreeMemory(process.pid)
    memory.start()
    try:
        process.wait()
    except BaseException:  # Ctrl-C: the command must not outlive the benchmark
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        timer.cancel()
        memory.over.set()
        memory.join()
        with os.fdopen(readable, "rb") as report:
            said = report.read().split()
    if len(said) != 4:
        return Measured(limit_seconds, 0.0, memory.peak_mib, -signal.SIGKILL)
    wall, cpu, resident_kib, code = (float(word) for word in said)
    return Measured(wall, cpu, max(resident_kib / 1024, memory.peak_mib), int(code))


class _TreeMemory(threading.Thread):
    """Watches a process tree; counts while there is more than one process below the launcher."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak_mib = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(SAMPLE_SECONDS):
            below = _descendants(self._pid)
            if len(below) > 1:
                self.peak_mib = max(self.peak_mib, sum(_proportional_mib(pid) for pid in below))


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    unseen = [pid]
    while unseen:
        try:
            tasks = list(Path(f"/proc/{unseen.pop()}/task").iterdir())
            children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
        except OSError:
            continue  # it has ended since
        found += children
        unseen += children
    return found


def _proportional_mib(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass  # it has ended since
    return 0.0


def make_bytecode(program: str | Path) -> None:
    """Make the bytecode of the bulkup that is measured, as pip does when it installs: a checkout
    has none, or an old one, where PYTHONDONTWRITEBYTECODE is set, and then every start takes 0.15 s
    more."""
    code = "import bulkup, compileall; compileall.compile_dir(bulkup.__path__[0], quiet=1)"
    subprocess.run([Path(program).with_name("python"), "-c", code], check=False)
