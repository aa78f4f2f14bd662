"""Runs that the server starts: processes of their own, with their own claims.

A run in this process would share its interpreter with every request.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from bulkup.run.context import RUN_ID, SERVER_PID
from bulkup.serve.problems import Problem

WATCH = "watch"
MOST_AT_ONCE = 4
"""Beside a watch, which never ends by itself."""
END_SECONDS = 0.5
WATCH_END_SECONDS = 1.5
"""After being asked to end, until a watch that is at an upload is ended at once."""
_MAIN = "from bulkup.cli.app import main; main()"


class ChildRuns:
    """Processes of bulkup over the same manifest. For one event loop."""

    def __init__(self, manifest: str, environ: Mapping[str, str]) -> None:
        self._options = ("--manifest", manifest)
        self._environ = environ
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._exit_codes: dict[str, int] = {}
        self._ended = asyncio.Event()
        self._asked_to_end_at: float | None = None

    def is_running(self, command: str) -> bool:
        """Whether a run of this command, started here, is at work."""
        return any(name.partition(" ")[0] == command for name in self._processes)

    def take_exit_code(self, command: str) -> int | None:
        """Of the last run of this command that ended since the last call."""
        return self._exit_codes.pop(command, None)

    async def start(self, command: str, arguments: Sequence[str]) -> str:
        """Start `bulkup COMMAND`; returns the id of its run at once. Raises Problem (429, and 503
        after `stop`)."""
        if self._asked_to_end_at is not None:
            raise Problem(503, "the server is about to end")
        if command != WATCH and self._of_stages() >= MOST_AT_ONCE:
            raise Problem(429, "enough runs are at work already", headers={"Retry-After": "30"})
        run_id = secrets.token_hex(6)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _MAIN,
            command,
            "--quiet",
            *self._options,
            *arguments,
            env=self._environ_of(command, run_id),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the server, which then ends its runs in order
        )
        name = f"{command} {run_id}"
        self._processes[name] = process
        task = asyncio.create_task(self._wait(name, process))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return run_id

    def _of_stages(self) -> int:
        return sum(not name.startswith(f"{WATCH} ") for name in self._processes)

    def _environ_of(self, command: str, run_id: str) -> dict[str, str]:
        more = {SERVER_PID: str(os.getpid())} if command == WATCH else {}
        return {**self._environ, RUN_ID: run_id, **more}

    async def _wait(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._exit_codes[name.partition(" ")[0]] = await process.wait()
        self._processes.pop(name, None)
        self._ended.set()

    async def wait_for_end(self, seconds: float) -> None:
        """Return when a run has ended since the last call, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        self._ended.clear()

    async def wait(self, seconds: float | None = None) -> None:
        """Return when all runs have ended, or after so many seconds."""
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=seconds)

    def stop(self) -> None:
        """Ask all runs to end, and start no more."""
        if self._asked_to_end_at is None:
            self._asked_to_end_at = asyncio.get_running_loop().time()
            for process in self._processes.values():
                _terminate(process)

    async def close(self) -> None:
        """End all runs. Those of stages settle what is in their hands without this process; a
        watch ends before it."""
        self.stop()
        assert self._asked_to_end_at is not None
        await self.wait(END_SECONDS)
        watches = [one for name, one in self._processes.items() if name.startswith(f"{WATCH} ")]
        if watches:
            passed = asyncio.get_running_loop().time() - self._asked_to_end_at
            await self._wait_for_watch(max(0.0, WATCH_END_SECONDS - passed))
            for process in watches:
                _terminate(process)  # the second time: at once
            await self._wait_for_watch(END_SECONDS)

    async def _wait_for_watch(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.is_running(WATCH):
                    self._ended.clear()
                    await self._ended.wait()


def _terminate(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
