"""The manifest as the event loop calls it.

Calls run in the loop's own thread: they take a millisecond, and a thread of their own would cost
more than they do, since SQLite lets go of the interpreter lock for every row and then has to win
it back (20,000 small files: 0.5 s of CPU of 3.5). Only when another program holds the write lock
does the call move to a thread and wait there, while requests in flight go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from bulkup.errors import ManifestLocked
from bulkup.manifest.manifest import Manifest

if TYPE_CHECKING:
    from bulkup.run.ingest.write_lock import WriteLock

P = ParamSpec("P")
T = TypeVar("T")

LOCK_SECONDS = 30.0
"""How long another program's transaction is waited for (SPEC §9)."""


QUICK_SECONDS = 0.05
"""How long the event loop may stand still for a lock: bulkup's own transactions are shorter."""


TURN_SECONDS = 0.001
"""How often it is looked whether the other process of this run has done its writing."""


class AsyncManifest:
    """Calls into one manifest, one after the other."""

    def __init__(self, manifest: Manifest, write_lock: WriteLock | None = None) -> None:
        """`turns` are taken with another process of this run that writes, too."""
        self.manifest = manifest
        self._turns = write_lock
        self._is_quick = False
        self._waiting = asyncio.Lock()  # held while a call waits in a thread

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns: one transaction at most, which may be begun again."""
        if not self._is_quick:  # what comes before the first call may wait for as long as it takes
            self.manifest.wait_for_lock(QUICK_SECONDS)
            self._is_quick = True
        if self._turns is not None:
            await _take(self._turns)
        try:
            if not self._waiting.locked():
                return function(*args, **kwargs)
        except ManifestLocked:
            pass
        finally:
            if self._turns is not None:
                self._turns.give()
        async with self._waiting:
            until = [time.monotonic() + LOCK_SECONDS]
            waiting = asyncio.ensure_future(
                asyncio.to_thread(_patiently, lambda: function(*args, **kwargs), until)
            )
            try:
                return await asyncio.shield(waiting)
            except asyncio.CancelledError:
                until[0] = 0.0
                await asyncio.wait({waiting})  # two threads must not use the manifest at once
                raise


async def _take(write_lock: WriteLock) -> None:
    """Take the turn; not for ever, since SQLite sees to order, too."""
    until = time.monotonic() + QUICK_SECONDS
    while not write_lock.try_acquire() and time.monotonic() < until:  # noqa: ASYNC110 - no event reaches
        await asyncio.sleep(TURN_SECONDS)  # from one process into the other's loop


def _patiently(function: Callable[[], T], until: Sequence[float]) -> T:
    """Again and again until the lock is ours. Raises ManifestLocked after `until[0]`, which may
    be moved meanwhile."""
    while True:
        try:
            return function()
        except ManifestLocked:
            if time.monotonic() >= until[0]:
                raise
