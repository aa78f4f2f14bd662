"""A push with a scripted store and a clock that tests move."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.run.heartbeat import HEARTBEAT_SECONDS
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(endless=(HEARTBEAT_SECONDS,))


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> ScriptedStore:
    return ScriptedStore(str(tmp_path / "to"), clock=clock)


@pytest.fixture
def pushing(tmp_path: Path, clock: FakeClock, store: ScriptedStore) -> Pushing:
    made = Pushing(tmp_path, str(tmp_path / "to"), clock=clock, store=store)
    made.root.mkdir()
    return made
