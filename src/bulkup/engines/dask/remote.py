"""What runs in a worker of the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from distributed import get_worker

from bulkup.engines.engine import Slot

_AT_WORK: Final = frozenset({"running", "paused"})
_WANTED: Final = frozenset({"executing", "long-running"})


def run_task(work: Callable[[Any, Any, Slot], Any], setup: Any, task: Any) -> Any:
    """`work(setup, task, slot)`, in a thread of the worker.

    The result is no longer wanted when the driver gives the task up or is gone, and when the
    worker closes.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        found = worker.state.tasks.get(key)
        return worker.status.name in _AT_WORK and found is not None and found.state in _WANTED

    return work(setup, task, Slot(worker.state.nthreads, is_wanted))
