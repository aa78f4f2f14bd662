"""The protocol of an engine. Every engine passes tests/contract/test_engines.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Lost:
    """The task's worker vanished before it replied.

    `was_in_hand`: nothing else was in the worker's hands, so the task may be to blame.
    """

    was_in_hand: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a worker can do the work, for people: `refusal` is why not, `remark` what is odd."""

    refusal: str | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """What the work may know of where it is done: how many slots the worker has, and whether
    anybody still waits for the result."""

    count: int
    is_wanted: Callable[[], bool]


class Engine(Protocol[T_contra, R_co]):
    """Works on tasks. For one event loop; several calls of `run` may be in progress."""

    isolates: bool
    """Whether a task can take down its own worker only, and not the run."""

    task_seconds: float
    """How much work is worth one task; 0 where a task costs nothing."""

    @property
    def workers(self) -> int:
        """Workers elsewhere that can do the work, now; 0 where this process does it."""

    @property
    def tasks_out(self) -> int:
        """Tasks that those workers have, now."""

    @property
    def slots(self) -> int:
        """Tasks that are worked on at the same time, now: workers may come and go."""

    @property
    def most_tasks(self) -> int:
        """Tasks that may be out at the same time, now."""

    async def run(self, task: T_contra, *, is_alone: bool = False) -> R_co | Lost:
        """What became of the task; with `is_alone` its worker has no other task meanwhile.

        The engine does not try again by itself. Raises what the work raises, and EngineUnusable
        when no task can be worked on any more.
        """

    async def close(self) -> None:
        """Give up what is still out. May be called twice."""
