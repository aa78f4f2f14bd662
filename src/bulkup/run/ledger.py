"""The manifest in a thread of its own: the event loop never waits for a lock or a disk.

Calls are few and bring many rows each: a hop to the thread costs as much as thirty rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from bulkup.manifest.manifest import Manifest

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """Calls into one manifest, one after the other. `manifest` belongs to the thread."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="manifest")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns, having run in the manifest's thread."""
        loop = asyncio.get_running_loop()
        if kwargs:
            return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))
        return await loop.run_in_executor(self._thread, function, *args)

    def close(self) -> None:
        """Wait for the call under way, then give the thread back."""
        self._thread.shutdown(wait=True)
