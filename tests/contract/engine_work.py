"""What engines under test do: functions that workers elsewhere import by name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from bulkup.engines.engine import Checked, Slot
from bulkup.errors import PictureInvalid


class Order(NamedTuple):
    """What a task is to do, and where it leaves traces."""

    does: str
    value: int = 0
    path: str = ""


def work(setup: int, task: Order, slot: Slot) -> int:
    """`value` times the setup, after what the task does."""
    if task.path:
        with open(task.path, "a") as file:
            file.write(f"{os.getpid()}\n")
    _DOES[task.does](task, slot)
    return setup * task.value


def check(setup: int, _task: None, slot: Slot) -> Checked:
    """No worker is fit for a setup below 0."""
    assert slot.count >= 1
    return Checked("it cannot go below 0" if setup < 0 else None)


def _fail(task: Order, _slot: Slot) -> None:
    raise PictureInvalid(f"{task.value} is no picture")


def _die(_task: Order, _slot: Slot) -> None:
    os.kill(os.getpid(), 9)


def _die_once(task: Order, slot: Slot) -> None:
    with open(task.path) as file:
        if len(file.readlines()) == 1:
            _die(task, slot)


def _linger(task: Order, slot: Slot) -> None:
    """Until nobody wants it, or half a minute."""
    end = time.monotonic() + 30
    while slot.is_wanted() and time.monotonic() < end:
        time.sleep(0.02)
    with open(task.path, "a") as file:
        file.write("unwanted\n" if not slot.is_wanted() else "late\n")


def _wait_for_file(task: Order, _slot: Slot) -> None:
    """Until the file with the suffix .go is there."""
    while not os.path.exists(task.path + ".go"):
        time.sleep(0.02)


def _nothing(_task: Order, _slot: Slot) -> None:
    pass


_DOES: dict[str, Callable[[Order, Slot], None]] = {
    "nothing": _nothing,
    "fail": _fail,
    "die": _die,
    "die once": _die_once,
    "linger": _linger,
    "wait": _wait_for_file,
}
