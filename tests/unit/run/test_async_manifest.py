"""Calls into a manifest that another program has locked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkup.manifest.database.connection import JournalMode
from bulkup.manifest.manifest import Manifest
from bulkup.run.async_manifest import AsyncManifest


@pytest.fixture(params=["wal", "delete"])
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manifest]:
    """One with and one without WAL."""
    mode: JournalMode = request.param
    with Manifest(str(tmp_path / "m.db"), journal_mode=mode) as opened:
        assert opened.is_shared_easily == (mode == "wal")
        yield opened


async def test_a_lock_is_waited_for_while_the_loop_goes_on(manifest: Manifest) -> None:
    """Without WAL a writer that commits stops readers, too."""
    calls = AsyncManifest(manifest)
    with closing(sqlite3.connect(manifest.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        reading = asyncio.create_task(calls.call(manifest.destinations.all))
        writing = asyncio.create_task(calls.call(manifest.runs.beat, "a", now=1.0))
        await asyncio.sleep(0)  # both have been refused once and wait in a thread
        assert not writing.done()
        other.execute("ROLLBACK")
        assert await reading == []
        await writing
