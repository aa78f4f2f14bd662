"""Which runs are alive. A claim is void once its run is gone (SPEC §4)."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

from bulkup.manifest.runs import RunRow

HEARTBEAT_SECONDS = 15.0
"""Between two signs of life: a fortieth of the time after which a silent run counts as gone."""


class ThisProcess(NamedTuple):
    """This machine, as runs name it."""

    host: str

    def is_gone(self, run: RunRow, *, now: float, stale_after_seconds: float) -> bool:
        """Whether the run can no longer be at work.

        On this host the process table knows at once. A run elsewhere is believed until its last
        sign of life is `stale_after_seconds` old; so is one here whose start time is unknown.
        """
        if run.host == self.host and run.process_started:
            return process_started(run.pid) != run.process_started
        return now - run.heartbeat_at > stale_after_seconds


def here() -> ThisProcess:
    """This machine: its name and, where there is one, the id of its current boot.

    With the boot id a pid of before a restart, or of another container with the same name, is
    not taken for one of ours.
    """
    boot = ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
        boot += "." + os.readlink("/proc/self/ns/pid")[5:-1]
    except OSError:
        pass
    return ThisProcess(f"{socket.gethostname()}/{boot}" if boot else socket.gethostname())


def machine_of(host: str) -> str:
    """The machine's name, for people, of a `Here.host` as runs keep it."""
    return host.partition("/")[0]


def process_started(pid: int) -> str:
    """When the process started, in whatever form the system tells it; '' when there is none.

    Linux: clock ticks since boot, field 22 of /proc/<pid>/stat (proc(5)). Elsewhere: ps.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    except OSError:
        return ""
    else:
        fields = stat.rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    try:
        shown = subprocess.run(  # noqa: S603 - a fixed command and a number
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except OSError:
        return ""
    return shown.stdout.strip()
