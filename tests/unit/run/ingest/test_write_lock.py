"""Two processes write in turn, and neither has to rely on the other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bulkup.manifest.manifest import Manifest
from bulkup.run.async_manifest import QUICK_SECONDS, AsyncManifest
from bulkup.run.ingest.process import is_possible
from bulkup.run.ingest.write_lock import WriteLock

pytestmark = pytest.mark.skipif(not is_possible(), reason="one core, or no Linux")


@contextmanager
def other_process(write_lock: WriteLock) -> Iterator[Callable[[str], None]]:
    """Another process that takes ("t") and gives ("g") turns as it is told, and then says so."""
    orders, told = os.pipe()
    answers, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        while order := os.read(orders, 1):
            if order == b"t":
                write_lock.__enter__()
            else:
                write_lock.release()
            os.write(said, order)
        os._exit(0)

    def tell(order: str) -> None:
        os.write(told, order.encode())
        assert os.read(answers, 1).decode() == order

    try:
        yield tell
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for descriptor in (orders, told, answers, said):
            os.close(descriptor)


def test_one_has_the_lock_until_it_releases_it() -> None:
    write_lock = WriteLock()
    with other_process(write_lock) as tell:
        assert write_lock.try_acquire()
        write_lock.release()
        tell("t")
        assert not write_lock.try_acquire()
        tell("g")
        assert write_lock.try_acquire()


def test_a_process_that_dies_has_it_no_more() -> None:
    write_lock = WriteLock()
    with other_process(write_lock) as tell:
        tell("t")
        assert not write_lock.try_acquire()
    assert write_lock.try_acquire()


async def test_the_ledger_waits_for_its_turn_and_then_asks_the_manifest(tmp_path: Path) -> None:
    write_lock = WriteLock()
    with Manifest(str(tmp_path / "m.db")) as manifest, other_process(write_lock) as tell:
        async_manifest = AsyncManifest(manifest, write_lock)
        seen: list[bool] = []
        await async_manifest.call(lambda: seen.append(write_lock.try_acquire()))
        assert seen == [True]
        tell("t")  # it has its turn again: the call has given it back
        began = time.monotonic()
        assert await async_manifest.call(lambda: 7) == 7
        assert time.monotonic() - began >= QUICK_SECONDS
        tell("g")


async def test_a_call_that_fails_gives_its_turn_back(tmp_path: Path) -> None:
    write_lock = WriteLock()
    with Manifest(str(tmp_path / "m.db")) as manifest, other_process(write_lock) as tell:
        with pytest.raises(ZeroDivisionError):
            await AsyncManifest(manifest, write_lock).call(lambda: 1 // 0)
        tell("t")
