"""A run's heartbeat, and which runs are dead. A claim is void once its run is gone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bulkup.errors import ManifestCorrupt
from bulkup.manifest.runs import RunRow

if TYPE_CHECKING:  # `status` asks which runs are alive, and loads no event loop
    from bulkup.clock import Clock
    from bulkup.run.async_manifest import AsyncManifest

HEARTBEAT_SECONDS = 15.0
"""A fortieth of the time after which a silent run counts as gone."""


class Heartbeat:
    """One run as the others see it."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        *,
        run_id: str,
        command: str,
        clock: Clock,
        stale_after_seconds: float,
    ) -> None:
        self._async_manifest = async_manifest
        self._run_id = run_id
        self._command = command
        self._clock = clock
        self._stale_after_seconds = stale_after_seconds
        self._here = here()

    def check_manifest(self) -> None:
        """After a run that did not end cleanly: check the file, and free the run's claims.

        Raises ManifestCorrupt.
        """
        manifest = self._async_manifest.manifest
        runs, path = manifest.runs, manifest.path
        if not any(self.is_gone(run) for run in runs.open_runs()):
            return
        damage = manifest.integrity.damage()
        if damage is not None:
            raise ManifestCorrupt(
                f"{path} is damaged: {damage}",
                hint="Move it away; what was pushed is still at the destination.",
            )
        runs.reap_dead_runs(self.is_gone, now=self._clock.now())

    def is_gone(self, run: RunRow) -> bool:
        """Whether another run can no longer be at work."""
        return run.id != self._run_id and self._here.is_gone(
            run, now=self._clock.now(), stale_after_seconds=self._stale_after_seconds
        )

    def begin(self) -> None:
        """Record this run."""
        now, pid = self._clock.now(), os.getpid()
        self._async_manifest.manifest.runs.begin(
            RunRow(
                self._run_id,
                self._command,
                self._here.host,
                pid,
                process_started(pid) or "",
                now,
                now,
            )
        )

    async def keep_beating(self) -> None:
        """Record the heartbeat and free the claims of dead runs, until cancelled."""
        runs = self._async_manifest.manifest.runs
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            now = self._clock.now()
            await self._async_manifest.call(runs.beat, self._run_id, now=now)
            await self._async_manifest.call(runs.reap_dead_runs, self.is_gone, now=now)


class ThisProcess(NamedTuple):
    """This machine, as runs name it."""

    host: str

    def is_gone(self, run: RunRow, *, now: float, stale_after_seconds: float) -> bool:
        """Whether the run can no longer be at work.

        On this host the process table knows at once. A run elsewhere is believed until its last
        heartbeat is `stale_after_seconds` old; so is one here whose start time is unknown.
        """
        if run.host == self.host and run.process_started:
            started = process_started(run.pid)
            if started is not None:
                return started != run.process_started
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
    name = os.uname().nodename
    return ThisProcess(f"{name}/{boot}" if boot else name)


def machine_of(host: str) -> str:
    """The machine's name in a `ThisProcess.host`."""
    return host.partition("/")[0]


def process_started(pid: int) -> str | None:
    """When the process started, in whatever form the system reports it; '' when there is none,
    None when the system does not say.

    Linux: clock ticks since boot, field 22 of /proc/<pid>/stat (proc(5)). Elsewhere: ps.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else start_by_ps(pid)
    except OSError:
        return ""
    fields = stat.rpartition(b")")[2].split()
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def start_by_ps(pid: int, *, ps: str = "/bin/ps", timeout_seconds: float = 10.0) -> str | None:
    """The same by ps(1); None when it is missing or does not end in time."""
    import subprocess

    try:
        shown = subprocess.run(  # noqa: S603 - a fixed command and a number
            [ps, "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return shown.stdout.strip()
