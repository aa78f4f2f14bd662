"""The manifest as the event loop calls it.

Calls run in the loop's own thread: they take a millisecond, and a thread of their own would cost
more than they do, since SQLite releases the interpreter lock for every row and then has to win it
back (20,000 small files: 0.5 s of CPU of 3.5). Only when another program holds the write lock does
the call move to a thread and wait there, while requests in flight continue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from bulkup.errors import ManifestLocked
from bulkup.manifest.manifest import Manifest

P = ParamSpec("P")
T = TypeVar("T")

LOCK_SECONDS = 30.0
"""How long to wait for another program's transaction."""

QUICK_SECONDS = 0.05
"""How long the event loop may stand still for a lock: bulkup's own transactions are shorter."""

LOCK_POLL_SECONDS = 0.001
"""How often to try the lock that the other process of this run holds."""


class ProcessLock(Protocol):
    """Held by whichever process of a run writes."""

    def try_acquire(self) -> bool: ...
    def release(self) -> None: ...


class AsyncManifest:
    """Calls into one manifest, one after the other."""

    def __init__(self, manifest: Manifest, write_lock: ProcessLock | None = None) -> None:
        """`write_lock` is shared with another process of this run that writes, too."""
        self.manifest = manifest
        self._write_lock = write_lock
        self._is_quick = False
        self._waiting = asyncio.Lock()  # held while a call waits in a thread

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns: one transaction at most, which may be begun again."""
        if not self._is_quick:  # what comes before the first call may wait for as long as it takes
            self.manifest.wait_for_lock(QUICK_SECONDS)
            self._is_quick = True
        if self._write_lock is not None:
            await _acquire(self._write_lock)
        try:
            if not self._waiting.locked():
                return function(*args, **kwargs)
        except ManifestLocked:
            pass
        finally:
            if self._write_lock is not None:
                self._write_lock.release()
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


async def _acquire(write_lock: ProcessLock) -> None:
    """Take the lock, or continue without it after a while: SQLite has its own."""
    until = time.monotonic() + QUICK_SECONDS
    while not write_lock.try_acquire() and time.monotonic() < until:  # noqa: ASYNC110 - no event reaches
        await asyncio.sleep(LOCK_POLL_SECONDS)  # from one process into the other's loop


def _patiently(function: Callable[[], T], until: Sequence[float]) -> T:
    """Call until the lock is free. Raises ManifestLocked after `until[0]`, which may be moved
    meanwhile."""
    while True:
        try:
            return function()
        except ManifestLocked:
            if time.monotonic() >= until[0]:
                raise
