"""Threads that use the manifest for the event loop, each with a connection of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bulkup.manifest.server import ServerManifest, ServerReader

T = TypeVar("T")
R = TypeVar("R", ServerReader, ServerManifest)

READERS = 4
"""SQLite reads run beside each other; more threads than this only wait for the interpreter."""


class ManifestThreads:
    """The manifest of a server. A manifest that another file replaced (`restore`) is reopened.

    All calls raise what the function raises, ManifestError included.
    """

    def __init__(self, path: str, *, readers: int = READERS) -> None:
        """Creates or migrates the manifest. Raises ManifestError."""
        self.path = path
        ServerManifest(path).close()
        self._local = threading.local()
        self._opened: list[ServerReader | ServerManifest] = []
        self._readers = ThreadPoolExecutor(readers, "manifest-reader")
        self._searcher = ThreadPoolExecutor(1, "manifest-searcher")
        self._watcher = ThreadPoolExecutor(1, "manifest-watcher")
        self._writer = ThreadPoolExecutor(1, "manifest-writer")

    async def read(self, function: Callable[[ServerReader], T]) -> T:
        """What `function` returns for a ServerReader."""
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, lambda: function(self._reader())
        )

    async def search(self, function: Callable[[ServerReader], T]) -> T:
        """The same for what takes long; one at a time, so that the other threads stay free."""
        return await asyncio.get_running_loop().run_in_executor(
            self._searcher, lambda: function(self._reader())
        )

    async def watch(self, function: Callable[[ServerReader], T]) -> T:
        """The same, always by one connection: its `data_version` shows what others changed."""
        return await asyncio.get_running_loop().run_in_executor(
            self._watcher, lambda: function(self._reader())
        )

    async def write(self, function: Callable[[ServerManifest], T]) -> T:
        """What `function` returns for a ServerManifest. One call at a time, in their order."""
        return await asyncio.get_running_loop().run_in_executor(
            self._writer, lambda: function(self._manifest())
        )

    def close(self) -> None:
        """End the threads, once what they do has ended."""
        for threads in (self._readers, self._watcher, self._searcher, self._writer):
            threads.shutdown(cancel_futures=True)
        for one in self._opened:
            one.close()

    def _reader(self) -> ServerReader:
        return self._opened_here(ServerReader)

    def _manifest(self) -> ServerManifest:
        return self._opened_here(ServerManifest)

    def _opened_here(self, kind: Callable[[str], R]) -> R:
        """What this thread opened, which is always of one kind. It is reopened when the path
        has become another file."""
        inode = self._inode()
        found: R | None = getattr(self._local, "opened", None)
        if found is not None and self._local.inode == inode:
            return found
        if found is not None:
            self._opened.remove(found)
            found.close()
            self._local.opened = None
        opened = kind(self.path)
        self._opened.append(opened)
        self._local.opened, self._local.inode = opened, inode
        return opened

    def _inode(self) -> int:
        try:
            return os.stat(self.path).st_ino
        except FileNotFoundError:
            return 0
