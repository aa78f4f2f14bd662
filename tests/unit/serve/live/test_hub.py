"""Events: what happened since, once for each listener, none missed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bulkup.manifest.server import ServerManifest
from bulkup.serve.context import ServerContext
from bulkup.serve.live import hub
from bulkup.serve.live.hub import LiveEvent, Queue, position_of
from bulkup.serve.problems import Problem
from bulkup.settings.table import Settings
from tests.fakes.clock import FakeClock
from tests.sql import sql
from tests.unit.manifest.recording import run_row


@pytest.fixture
def settings(pushed_settings: Settings) -> Settings:
    return pushed_settings


def fail(manifest: ServerManifest, error: str) -> None:
    """Record another failed attempt at the broken picture."""
    sql(
        manifest.path,
        "INSERT INTO attempt (item_id, number, run_id, ended_at, seconds, outcome, error_class, "
        "error) SELECT id, 9, 'r', 0, 0, 'failed', 'invalid', ? FROM item WHERE state = 'dead'",
        error,
    )


def end(manifest: ServerManifest, run_id: str, **summary: Any) -> None:
    manifest.runs.begin(run_row(run_id))
    manifest.runs.end(run_id, now=5.0, exit_code=3, summary=summary)


def taken(queue: Queue) -> list[LiveEvent]:
    found = []
    while not queue.empty():
        event = queue.get_nowait()
        assert event is not None
        found.append(event)
    return found


async def test_what_happens_is_sent_to_all_who_listen(
    context: ServerContext, manifest: ServerManifest
) -> None:
    await context.live.tick()
    with context.live.listening() as one, context.live.listening() as other:
        fail(manifest, "damaged")
        end(manifest, "run-1")
        await context.live.tick()

        events = taken(one)
        assert [event.name for event in events] == ["failed", "run_ended", "stats"]
        assert taken(other) == events
        assert json.loads(events[0].data)["error"] == "damaged"
        assert json.loads(events[1].data)["exit_code"] == 3

        await context.live.tick()
        assert taken(one) == []
    assert len(context.live) == 0


async def test_stats_come_every_five_seconds_and_only_when_something_changed(
    context: ServerContext, manifest: ServerManifest, clock: FakeClock
) -> None:
    with context.live.listening() as queue:
        for _ in range(12):
            await context.live.tick()
            clock.advance(1)
        assert [event.name for event in taken(queue)] == ["stats"]

        end(manifest, "run-1")
        for _ in range(5):
            await context.live.tick()
            clock.advance(1)
        assert [event.name for event in taken(queue)] == ["run_ended", "stats"]


async def test_what_a_listener_began_with_is_not_sent_again(
    context: ServerContext, clock: FakeClock
) -> None:
    with context.live.listening() as queue:
        begun = await context.live.since(None)
        for _ in range(12):
            await context.live.tick()
            clock.advance(1)

    assert [event.name for event in begun] == ["stats"]
    assert taken(queue) == []


async def test_who_comes_back_gets_what_was_missed(
    context: ServerContext, manifest: ServerManifest
) -> None:
    await context.live.tick()
    with context.live.listening() as queue:
        for number in range(3):
            fail(manifest, f"damaged {number}")
        end(manifest, "run-1")
        await context.live.tick()
        events = [event for event in taken(queue) if event.name != "stats"]

    for at, event in enumerate(events):
        missed = await context.live.since(position_of(str(event.position)))
        assert missed[:-1] == events[at + 1 :]
        assert missed[-1].name == "stats"


async def test_too_many_to_repeat_are_a_reload(
    context: ServerContext, manifest: ServerManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_REPLAYED", 2)
    before = (await context.live.since(None))[-1].position
    for _ in range(2):
        fail(manifest, "damaged")

    found = await context.live.since(before)

    assert [event.name for event in found] == ["reload", "stats"]


async def test_who_does_not_read_gets_a_reload_and_costs_no_more(
    context: ServerContext, manifest: ServerManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_QUEUED", 3)
    await context.live.tick()
    with context.live.listening() as queue:
        for _ in range(4):
            fail(manifest, "damaged")
        await context.live.tick()
        assert queue.qsize() <= 3
        assert taken(queue)[0].name == "reload"


async def test_listeners_are_bounded_and_end_with_the_server(
    context: ServerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_LISTENERS", 1)
    with context.live.listening() as queue:
        with pytest.raises(Problem), context.live.listening():
            pass
        context.live.stop()
        assert queue.get_nowait() is None
    with context.live.listening() as late:
        assert late.get_nowait() is None


@pytest.mark.parametrize("text", ["", "1", "-", "1-", "a-b", "1-2-3", "9" * 30 + "-1", "٣-٣"])
def test_a_foreign_id_is_none(text: str) -> None:
    assert position_of(text) is None


@pytest.mark.parametrize(("dead", "done", "count"), [(3, 17, 1), (2, 18, 0), (9, 1, 0), (0, 0, 0)])
async def test_a_run_in_which_much_failed_is_an_alert(
    context: ServerContext, manifest: ServerManifest, dead: int, done: int, count: int
) -> None:
    await context.live.tick()
    with context.live.listening() as queue:
        end(manifest, "run-1", stages={"process": {"done": done, "dead": dead, "waiting": 0}})
        await context.live.tick()
        await context.live.tick()
        alerts = [json.loads(event.data) for event in taken(queue) if event.name == "alert"]

    assert [one["message"] for one in alerts] == [
        f"process: {dead} of {dead + done} failed (15 %) in the last push"
    ] * count
