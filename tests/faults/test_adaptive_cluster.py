"""An engine on a cluster that grows and shrinks by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bulkup.engines.engine import Lost
from tests.contract.engine_work import Order
from tests.contract.test_engines import SETUP, opened_at, until
from tests.servers import dask


def let_go(orders: Sequence[Order]) -> None:
    for order in orders:
        Path(order.path + ".go").touch()


async def test_a_cluster_that_adapts_grows_for_tasks_and_gives_its_workers_up_without_blame(
    tmp_path: Path,
) -> None:
    """From none, and to none again."""
    orders = [Order("wait", n, str(tmp_path / str(n))) for n in range(8)]
    with dask.adapting(tmp_path, minimum=0, maximum=3) as address:
        async with opened_at(f"dask://{address}") as engine:
            tasks = [asyncio.create_task(engine.run(order)) for order in orders]
            await until(lambda: engine.slots == 3)
            await until(lambda: sum(Path(order.path).exists() for order in orders) == 3)
            await asyncio.to_thread(dask.retire_worker, address)
            await until(lambda: any(task.done() for task in tasks))
            let_go(orders)
            results = await asyncio.gather(*tasks)
            lost = [one for one in results if isinstance(one, Lost)]
            assert lost
            assert all(one == Lost(was_in_hand=False) for one in lost)
            done = [one for one in results if not isinstance(one, Lost)]
            assert done == [n * SETUP for n, one in enumerate(results) if not isinstance(one, Lost)]
            await until(lambda: engine.slots == 0)
            assert await engine.run(Order("nothing", 4)) == 4 * SETUP
