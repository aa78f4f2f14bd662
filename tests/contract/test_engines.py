"""What every engine keeps, and what only engines with workers elsewhere can show."""

from __future__ import annotations

import asyncio
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bulkup.clock import SystemClock
from bulkup.engines.dask.checks import Remote
from bulkup.engines.dask.cluster import DaskCluster
from bulkup.engines.dask.engine import DaskEngine
from bulkup.engines.engine import Engine, Lost, Slot
from bulkup.engines.local import LocalEngine
from bulkup.errors import EngineUnusable, PictureInvalid
from bulkup.events import Event, Notice
from tests.contract.engine_work import Order, check, work
from tests.servers import dask
from tests.servers.dask import DaskProcesses

SETUP = 10


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    with dask.running(tmp_path_factory.mktemp("dask"), workers=2) as cluster:
        yield cluster


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[DaskProcesses]:
    """For tests that kill."""
    with dask.running(tmp_path, workers=2) as cluster:
        yield cluster


@asynccontextmanager
async def opened(
    processes: DaskProcesses, setup: Any = SETUP, emit: Callable[[Event], None] = lambda _: None
) -> AsyncIterator[DaskEngine[Order, int]]:
    async with opened_at(processes.url, setup, emit) as engine:
        yield engine


@asynccontextmanager
async def opened_at(
    url: str, setup: Any = SETUP, emit: Callable[[Event], None] = lambda _: None
) -> AsyncIterator[DaskEngine[Order, int]]:
    cluster = await DaskCluster.open(url, workers=1)
    engine: DaskEngine[Order, int] = DaskEngine(
        cluster, Remote(work, check, setup), SystemClock(), emit
    )
    try:
        await engine.open()
        yield engine
    finally:
        await engine.close()
        await cluster.close()


@pytest.fixture(params=["local", "dask"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine[Order, int]]:
    if request.param == "dask":
        async with opened(request.getfixturevalue("two_workers")) as engine:
            yield engine
        return

    async def here(task: Order) -> int:
        return await asyncio.to_thread(work, SETUP, task, Slot(2, lambda: True))

    local: LocalEngine[Order, int] = LocalEngine(here, slots=2, ahead=2)
    yield local
    await local.close()


# Every engine ------------------------------------------------------------------------------------


async def test_a_task_has_its_result(engine: Engine[Order, int]) -> None:
    assert await engine.run(Order("nothing", 7)) == 70


async def test_many_tasks_have_each_its_own_result(engine: Engine[Order, int]) -> None:
    results = await asyncio.gather(*(engine.run(Order("nothing", n)) for n in range(40)))
    assert results == [SETUP * n for n in range(40)]


async def test_what_the_work_raises_is_raised(engine: Engine[Order, int]) -> None:
    with pytest.raises(PictureInvalid, match="3 is no picture"):
        await engine.run(Order("fail", 3))
    assert await engine.run(Order("nothing", 1)) == SETUP


async def test_a_task_that_fails_is_not_repeated(
    engine: Engine[Order, int], tmp_path: Path
) -> None:
    with pytest.raises(PictureInvalid):
        await engine.run(Order("fail", 3, str(tmp_path / "runs")))
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


async def test_it_has_slots_and_takes_more_tasks_than_those(engine: Engine[Order, int]) -> None:
    assert engine.slots == 2
    assert engine.most_tasks == 4


async def test_a_task_that_is_to_be_alone_has_its_result(engine: Engine[Order, int]) -> None:
    tasks = [engine.run(Order("nothing", n), is_alone=n % 2 == 0) for n in range(10)]
    assert await asyncio.gather(*tasks) == [SETUP * n for n in range(10)]


async def test_it_may_be_closed_twice(engine: Engine[Order, int]) -> None:
    await engine.close()
    await engine.close()


# Workers elsewhere -------------------------------------------------------------------------------


async def test_a_task_whose_worker_vanished_is_lost_and_not_repeated(
    own_cluster: DaskProcesses, tmp_path: Path
) -> None:
    async with opened(own_cluster) as engine:
        lost = await engine.run(Order("die", 1, str(tmp_path / "runs")))
        assert lost == Lost(was_in_hand=True)
        assert len((tmp_path / "runs").read_text().splitlines()) == 1
        assert await engine.run(Order("nothing", 2)) == 2 * SETUP
        assert engine.slots == 1


async def test_what_waited_at_the_lost_worker_was_not_in_its_hands(
    tmp_path: Path,
) -> None:
    with dask.running(tmp_path, workers=1) as cluster:
        async with opened(cluster) as engine:
            first = asyncio.create_task(engine.run(Order("wait", 1, str(tmp_path / "first"))))
            await until((tmp_path / "first").exists)
            second = asyncio.create_task(engine.run(Order("nothing", 2)))
            await until(lambda: engine.tasks_out == 2)
            cluster.workers[0].kill()
            assert await first == Lost(was_in_hand=True)
            assert await second == Lost(was_in_hand=False)


async def test_a_task_that_nobody_waits_for_stops(
    two_workers: DaskProcesses, tmp_path: Path
) -> None:
    traces = tmp_path / "traces"
    async with opened(two_workers) as engine:
        task = asyncio.create_task(engine.run(Order("linger", 1, str(traces))))
        await until(traces.exists)
        task.cancel()
        await until(lambda: "unwanted" in traces.read_text())


async def test_a_driver_that_is_gone_stops_its_tasks(
    two_workers: DaskProcesses, tmp_path: Path
) -> None:
    traces = tmp_path / "traces"
    command = [sys.executable, "-c", _DRIVER, two_workers.url, str(traces)]
    driver = await asyncio.to_thread(subprocess.Popen, command, cwd=dask.REPOSITORY)
    try:
        await until(traces.exists)
    finally:
        driver.kill()
    await until(lambda: driver.poll() is not None and "unwanted" in traces.read_text())


_DRIVER = """
import asyncio, sys
from tests.contract.engine_work import Order
from tests.contract.test_engines import opened
class Cluster: url = sys.argv[1]
async def main():
    async with opened(Cluster) as engine:
        await engine.run(Order("linger", 1, sys.argv[2]))
asyncio.run(main())
"""


async def test_a_scheduler_that_is_gone_makes_the_engine_unusable(
    own_cluster: DaskProcesses, tmp_path: Path
) -> None:
    async with opened(own_cluster) as engine:
        task = asyncio.create_task(engine.run(Order("wait", 1, str(tmp_path / "runs"))))
        await until((tmp_path / "runs").exists)
        own_cluster.scheduler.kill()
        with pytest.raises(EngineUnusable, match="is gone"):
            await task
        with pytest.raises(EngineUnusable):
            await engine.run(Order("nothing", 1))


async def test_no_scheduler_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineUnusable, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"):
        await DaskCluster.open("dask://127.0.0.1:1", workers=1, connect_seconds=0.5)


async def test_workers_that_cannot_do_the_work_are_named_at_the_start(
    two_workers: DaskProcesses,
) -> None:
    events: list[Event] = []
    with pytest.raises(EngineUnusable, match="it cannot go below 0"):
        async with opened(two_workers, -1, events.append):
            pass
    said = [str(one) for one in events if isinstance(one, Notice)]
    assert len(said) == 1  # the same reason is given once
    assert "gets no work: it cannot go below 0" in said[0]


@pytest.mark.parametrize(
    ("unpickled", "said"),
    [
        ((import_module, ("bulkup.nowhere",)), "another version of bulkup is installed there"),
        ((pickle.loads, (b"cbulkup.model\nNowhere\n.",)), "another version of bulkup"),
        ((import_module, ("nowhere",)), "bulkup with its extra cluster is not installed there"),
    ],
)
async def test_a_worker_that_lacks_something_of_bulkup_gets_no_work_and_goes_on(
    two_workers: DaskProcesses, unpickled: Any, said: str
) -> None:
    """Others use the cluster, too: its workers may have no bulkup, or another one."""
    with pytest.raises(EngineUnusable, match=said):
        async with opened(two_workers, Unpickled(unpickled)):
            pass
    async with opened(two_workers) as engine:
        assert engine.workers == 2


class Unpickled:
    """Is made by a call, where it is unpickled."""

    def __init__(self, call: tuple[Any, ...]) -> None:
        self._call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


async def test_a_worker_that_the_cluster_gives_up_blames_no_task(
    two_workers: DaskProcesses, tmp_path: Path
) -> None:
    """As an adaptive cluster does when it shrinks."""
    await asyncio.to_thread(two_workers.add_worker)
    async with opened(two_workers) as engine:
        runs = [tmp_path / str(n) for n in range(3)]
        tasks = [asyncio.create_task(engine.run(Order("wait", 1, str(path)))) for path in runs]
        await until(lambda: all(path.exists() for path in runs))
        await asyncio.to_thread(two_workers.retire_worker)
        assert (await next(asyncio.as_completed(tasks))) == Lost(was_in_hand=False)
        for path in runs:
            path.with_name(path.name + ".go").touch()
        assert (await asyncio.gather(*tasks)).count(SETUP) == 2
        assert engine.slots == 2


async def test_a_worker_that_vanishes_while_it_is_checked_holds_nobody_up(
    own_cluster: DaskProcesses,
) -> None:
    own_cluster.workers[0].send_signal(signal.SIGSTOP)
    asyncio.get_running_loop().call_later(1, own_cluster.workers[0].kill)
    async with asyncio.timeout(15), opened(own_cluster) as engine:
        assert await engine.run(Order("nothing", 1)) == SETUP
        assert engine.workers == 1


async def test_a_scheduler_that_dies_before_the_first_task_is_said(
    own_cluster: DaskProcesses,
) -> None:
    for worker in own_cluster.workers:  # so that no check ends
        worker.send_signal(signal.SIGSTOP)
    asyncio.get_running_loop().call_later(1, own_cluster.scheduler.kill)
    with pytest.raises(EngineUnusable, match="is gone"):
        async with asyncio.timeout(60), opened(own_cluster):
            pass


async def test_a_worker_that_joins_has_tasks(own_cluster: DaskProcesses) -> None:
    async with opened(own_cluster) as engine:
        assert engine.slots == 2
        await asyncio.to_thread(own_cluster.add_worker, 2)
        await until(lambda: engine.slots == 4)
        results = await asyncio.gather(*(engine.run(Order("nothing", n)) for n in range(20)))
        assert results == [SETUP * n for n in range(20)]


async def test_a_task_that_is_late_is_handed_out_again_and_has_one_result(
    own_cluster: DaskProcesses, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    async with opened(own_cluster) as engine:
        for n in range(10):
            await engine.run(Order("nothing", n))
        own_cluster.workers[0].send_signal(signal.SIGSTOP)
        tasks = [engine.run(Order("nothing", n, str(runs))) for n in range(2)]
        assert await asyncio.gather(*tasks) == [0, SETUP]
        own_cluster.workers[0].send_signal(signal.SIGCONT)


async def until(fact: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.02)
