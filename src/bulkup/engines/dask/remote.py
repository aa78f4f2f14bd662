"""What runs in a worker of the cluster, and how it gets there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from distributed import get_worker
from distributed.protocol.pickle import dumps

from bulkup.engines.engine import Slot

_AT_WORK: Final = frozenset({"running", "paused"})
_WANTED: Final = frozenset({"executing", "long-running"})


class _Call(NamedTuple):
    """To unpickle it is to make the call; what is unpickled is what it returned."""

    work: Callable[[Any, Any, Slot], Any]
    setup: Any
    task: Any

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _run, tuple(self)


def packed(work: Callable[[Any, Any, Slot], Any], setup: Any, task: Any) -> bytes:
    """`work(setup, task, slot)`, for `pickle.loads` in a worker.

    As bytes, because a worker and a scheduler end when they receive something of a module that
    they cannot import: those of a cluster that others use, too, may have no bulkup, or another one.
    """
    return bytes(dumps(_Call(work, setup, task)))


def _run(work: Callable[[Any, Any, Slot], Any], setup: Any, task: Any) -> Any:
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
