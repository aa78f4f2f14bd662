"""Errors of files that are the destination's: many refusals in a row, and no answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkup.errors import StoreForbidden, StoreUnreachable
from bulkup.model import Attributes, Body, Digest, Stored
from bulkup.run.circuit_breaker import MOST_REFUSALS
from tests.fakes.clock import FakeClock
from tests.fakes.scripted_store import ScriptedStore
from tests.faults.pushing import Pushing, views
from tests.sql import sql


class Refusing(ScriptedStore):
    """Refuses a put when `refuses` says so of its number, from 0 on, and its key."""

    refuses: Callable[[int, str], bool]

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        number = self.calls["put"]
        if self.refuses(number, key):
            self.calls["put"] += 1
            raise StoreForbidden(f"key {key!r}: AccessDenied (403)", code="AccessDenied")
        return await super().put(
            key, body, digest=digest, attributes=attributes, exclusive=exclusive
        )


class Mute(ScriptedStore):
    """Answers `answers` puts. The others end after a minute, in which nothing moved."""

    answers = 3

    def __init__(self, root: str, *, clock: FakeClock) -> None:
        super().__init__(root, clock=clock)
        self._fake_clock = clock

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        if self.calls["put"] >= self.answers:
            self.calls["put"] += 1
            self._fake_clock.advance(60)
            raise StoreUnreachable("no response came in time", is_stalled=True)
        return await super().put(
            key, body, digest=digest, attributes=attributes, exclusive=exclusive
        )


@pytest.fixture
def refusing(tmp_path: Path, clock: FakeClock, pushing: Pushing) -> Refusing:
    store = Refusing(str(tmp_path / "to"), clock=clock)
    pushing.store = store
    return store


def write(pushing: Pushing, count: int) -> None:
    pushing.write({f"{n:02}.jpg": b"%d" % n for n in range(count)})


def states(pushing: Pushing) -> dict[object, object]:
    return dict(sql(pushing.manifest, "SELECT state, count(*) FROM item GROUP BY state"))


@pytest.mark.parametrize("concurrency", [1, 4, 32])
async def test_a_destination_that_begins_to_refuse_everything_ends_the_run(
    pushing: Pushing, refusing: Refusing, concurrency: int
) -> None:
    """No file is to blame: all are ready, and no attempt is counted."""
    write(pushing, 40)
    refusing.refuses = lambda number, _: number >= 8
    summary = await pushing.push(concurrency=concurrency)
    assert (summary.exit_code, summary.failures) == (4, {})
    assert states(pushing) == {"done": 8, "ready": 32}
    attempts = "SELECT DISTINCT attempts FROM item WHERE state = 'ready'"
    assert sql(pushing.manifest, attempts) == [(0,)]


async def test_a_permission_that_comes_back_costs_no_attempt(
    pushing: Pushing, refusing: Refusing
) -> None:
    write(pushing, 40)
    refusing.refuses = lambda number, _: 8 <= number < 8 + MOST_REFUSALS + 1
    summary = await pushing.push(concurrency=1)
    assert (summary.exit_code, summary.sent) == (0, 40)
    assert sql(pushing.manifest, "SELECT DISTINCT attempts FROM item") == [(1,)]


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_few_refusals_at_the_end_are_the_files_own(
    pushing: Pushing, refusing: Refusing, concurrency: int
) -> None:
    write(pushing, 12)
    last = {f"{n:02}.jpg" for n in range(12 - MOST_REFUSALS + 1, 12)}
    refusing.refuses = lambda _, key: key in last
    summary = await pushing.push(concurrency=concurrency)
    assert (summary.exit_code, summary.failures) == (3, {"auth": len(last)})
    assert len(views(pushing.manifest)["failures"]) == len(last)


async def test_refusals_among_successes_are_the_files_own(
    pushing: Pushing, refusing: Refusing
) -> None:
    write(pushing, 60)
    refusing.refuses = lambda _, key: int(key[:2]) % 2 == 1
    summary = await pushing.push(concurrency=1)
    assert (summary.exit_code, summary.sent, summary.dead) == (3, 30, 30)


@pytest.mark.parametrize("answers", [0, 3])
async def test_a_server_that_answers_no_more_ends_the_run_within_minutes(
    pushing: Pushing, clock: FakeClock, tmp_path: Path, answers: int
) -> None:
    """Also where it still answers the check; no file is to blame."""
    store = Mute(str(tmp_path / "to"), clock=clock)
    store.answers = answers
    pushing.store = store
    write(pushing, 20)
    summary = await pushing.push(concurrency=2)
    assert (summary.exit_code, summary.failures) == (4, {})
    assert states(pushing) == {**({"done": answers} if answers else {}), "ready": 20 - answers}
    assert clock.monotonic() < 15 * 60
