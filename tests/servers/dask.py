"""A Dask scheduler and its workers, each a process of its own, as people start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from distributed import Client

from tests.servers.certificate import Certificate
from tests.servers.process import ServerFailed, free_port, wait_until

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 60
CA_FILE = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
ENCRYPTED = "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"


def encrypted(made: Certificate) -> dict[str, str]:
    """Dask's settings, as variables, of a cluster that talks by TLS only."""
    one = {"CERT": str(made.chain), "KEY": str(made.key)}
    return {
        ENCRYPTED: "true",
        CA_FILE: str(made.ca),
        **{
            f"DASK_DISTRIBUTED__COMM__TLS__{who}__{what}": value
            for who in ("SCHEDULER", "WORKER", "CLIENT")
            for what, value in one.items()
        },
    }


class DaskProcesses:
    """A scheduler and the workers that were started for it."""

    def __init__(self, directory: Path, environ: Mapping[str, str] | None = None) -> None:
        """`directory` keeps the logs; `environ` is added to that of the processes."""
        self._directory = directory
        # Workers are given functions of the tests by name.
        path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        self._environ = {**os.environ, "PYTHONPATH": path, **(environ or {})}
        self._scheme = "tls" if ENCRYPTED in self._environ else "tcp"
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.scheduler = self._start(
            "scheduler", "scheduler", "--port", str(self.port), "--no-dashboard"
        )
        self.workers: list[subprocess.Popen[bytes]] = []
        self._wait_for(self.scheduler, "Scheduler at", "scheduler")

    @property
    def url(self) -> str:
        """For `--engine`."""
        return f"dask://{self.address}"

    def add_worker(
        self, slots: int = 1, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A worker without a nanny: when it is killed, it stays away."""
        name = f"worker-{len(self.workers)}"
        worker = self._start(
            name,
            "worker",
            f"{self._scheme}://{self.address}",
            "--nthreads",
            str(slots),
            "--no-nanny",
            "--no-dashboard",
            "--memory-limit",
            "0",
            environ=environ,
        )
        self.workers.append(worker)
        self._wait_for(worker, "Starting established connection", name)
        return worker

    def retire_worker(self) -> None:
        """Have the scheduler give up one worker, as a cluster does that becomes smaller."""
        retire_worker(self.address)

    def close(self) -> None:
        """Kill them all."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

    def _start(
        self, log: str, *args: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self._directory / f"{log}.log").open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *args, "--host", "127.0.0.1"],
                env={**self._environ, **(environ or {})},
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def _wait_for(self, process: subprocess.Popen[bytes], said: str, log: str) -> None:
        path = self._directory / f"{log}.log"
        wait_until(
            lambda: process.poll() is not None or said in path.read_text(),
            timeout_seconds=START_SECONDS,
            what=f"the {log} did not start",
        )
        if process.poll() is not None:
            raise ServerFailed(f"the {log} ended: {json.dumps(path.read_text()[-500:])}")


@contextmanager
def running(
    directory: Path, *, workers: int = 2, slots: int = 1, environ: Mapping[str, str] | None = None
) -> Iterator[DaskProcesses]:
    """A scheduler with so many workers, until the end of the `with` block."""
    cluster = DaskProcesses(directory, environ)
    try:
        for _ in range(workers):
            cluster.add_worker(slots)
        yield cluster
    finally:
        cluster.close()


def retire_worker(address: str) -> None:
    """Have the scheduler at HOST:PORT give up one worker: returns when it has."""
    with Client(f"tcp://{address}", set_as_default=False) as client:
        wait_until(
            lambda: bool(client.retire_workers(n=1)),
            timeout_seconds=30,
            what="no worker could be retired",
        )


@contextmanager
def adapting(directory: Path, *, minimum: int, maximum: int) -> Iterator[str]:
    """A cluster that grows and shrinks by itself; HOST:PORT of its scheduler."""
    command = [sys.executable, "-m", "tests.servers.adaptive_dask", str(minimum), str(maximum)]
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    with (directory / "adaptive.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": path},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip().removeprefix("tcp://")
        if not address:
            raise ServerFailed((directory / "adaptive.log").read_text()[-500:])
        yield address
    finally:
        try:
            process.communicate(timeout=30)  # closes its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
