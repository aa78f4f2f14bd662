"""`serve --work`: a watch of the folders that ask for it in the settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec

from bulkup.clock import Clock
from bulkup.errors import ExitCode, UsageError
from bulkup.installation import extra_command
from bulkup.serve.child_runs import WATCH, ChildRuns
from bulkup.serve.problems import Problem

PAUSE_SECONDS = 10.0
"""After a watch that ended by itself."""
REFUSED_PAUSE_SECONDS = 300.0
"""After one that could not begin, such as one without a destination."""


class Watching:
    """One run of `watch` for all folders. It uploads; the worker starts the stages after that."""

    def __init__(self, folders: Sequence[str], runs: ChildRuns, clock: Clock) -> None:
        self._folders = folders
        self._runs = runs
        self._clock = clock
        self._not_before = 0.0

    async def look(self) -> bool:
        """Start the watch unless it is at work or has just ended; returns whether it did."""
        code = self._runs.take_exit_code(WATCH)
        now = self._clock.monotonic()
        if code is not None:
            was_refused = code == ExitCode.USAGE
            self._not_before = now + (REFUSED_PAUSE_SECONDS if was_refused else PAUSE_SECONDS)
        if not self._folders or self._runs.is_running(WATCH) or now < self._not_before:
            return False
        try:
            await self._runs.start(WATCH, ["--stages", "upload", "--", *self._folders])
        except Problem:  # the server is about to end
            return False
        return True


def check_folders(folders: Sequence[str]) -> None:
    """Raise UsageError for what can never be watched; folders need not be there yet."""
    if not folders:
        return
    if find_spec("watchfiles") is None:
        raise UsageError("serve.watch needs watchfiles", hint=extra_command("watch"))
    for folder in folders:
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise UsageError(f"serve.watch: {folder} is no folder")
