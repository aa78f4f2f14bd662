"""The webhook, told over HTTP to a real server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import pytest

from bulkup.errors import ManifestFull
from bulkup.events import AttemptFailed, Event, RunStarted, Summary
from bulkup.model import Snapshot, StageCount
from bulkup.reporting.webhook import QUEUE_LENGTH, Alarm, Webhook
from bulkup.settings.table import WebhookOptions
from tests.fakes.clock import FakeClock
from tests.fakes.receiver import HANG, receiving

STARTED = RunStarted("r1", "push", "s3://bucket", "/manifest.db", False)
SUMMARY = Summary(
    run_id="r1",
    command="push",
    destination="s3://bucket",
    seconds=1.5,
    files=3,
    new=3,
    changed=0,
    unchanged=0,
    gone=0,
    left_out=0,
    sent=3,
    sent_bytes=30,
    adopted=0,
    duplicates=0,
    duplicate_bytes=0,
    copied=0,
    waiting=0,
    dead=0,
    ready=0,
    claimed_elsewhere=0,
    throttled=0,
)
BAD = replace(SUMMARY, dead=1, exit_code=3)


def failure(path: str = "/photos/a.jpg") -> AttemptFailed:
    return AttemptFailed(
        path=path,
        stage="upload",
        attempt=1,
        error_class="server",
        error="500",
        state="waiting",
        next_attempt_at=None,
    )


@dataclass(slots=True)
class Progress:
    """What the run has come to."""

    done: int = 0
    failed: int = 0

    def take(self) -> Snapshot:
        return Snapshot(
            stages={"upload": StageCount(done=self.done, failed=self.failed)},
            walking=False,
            walked_files=0,
            window=1,
            in_flight=0,
            throttled=0,
            errors=self.failed,
            elapsed_seconds=1,
        )


async def told(
    options: WebhookOptions, events: Sequence[Event], progress: Progress | None = None
) -> tuple[Webhook, FakeClock]:
    """A webhook that was told of these events and has ended."""
    clock = FakeClock()
    take = (progress or Progress()).take
    async with Webhook(options, take, clock, Random(1), timeout_seconds=0.5) as webhook:
        for event in events:
            webhook.emit(event)
    return webhook, clock


async def test_the_end_of_a_run_is_told_with_its_summary() -> None:
    with receiving() as receiver:
        webhook, _ = await told(WebhookOptions(url=receiver.url), [STARTED, SUMMARY])
    (message,) = receiver.messages
    assert webhook.trouble is None
    assert (message["schema"], message["event"]) == (1, "run_ended")
    assert message["at"] == "2027-01-15T08:00:00Z"
    assert message["host"]
    expected = SUMMARY.as_json()[0]
    shared = expected.keys() - {"event"}
    assert {name: message[name] for name in shared} == {name: expected[name] for name in shared}


@pytest.mark.parametrize(
    ("on", "summary", "messages"),
    [
        ("always", SUMMARY, 1),
        ("always", BAD, 1),
        ("failure", SUMMARY, 0),
        ("failure", BAD, 1),
        ("failure", replace(SUMMARY, interrupted=True), 1),
        ("never", BAD, 0),
    ],
)
async def test_the_user_chooses_which_ends_are_told(
    on: Literal["always", "failure", "never"], summary: Summary, messages: int
) -> None:
    with receiving() as receiver:
        await told(WebhookOptions(url=receiver.url, on=on), [STARTED, summary])
    assert len(receiver.messages) == messages


async def test_a_run_that_breaks_off_is_told_with_its_error() -> None:
    async def break_off(url: str) -> None:
        async with Webhook(
            WebhookOptions(url=url), Progress().take, FakeClock(), Random(1)
        ) as webhook:
            webhook.emit(STARTED)
            raise ManifestFull("the disk is full")

    with receiving() as receiver, pytest.raises(ManifestFull):
        await break_off(receiver.url)
    (message,) = receiver.messages
    assert (message["exit_code"], message["error"]) == (5, "the disk is full")
    assert message["run_id"] == "r1"


async def test_a_server_that_fails_twice_is_asked_three_times() -> None:
    with receiving(500, 503) as receiver:
        webhook, clock = await told(WebhookOptions(url=receiver.url), [STARTED, SUMMARY])
    assert len(receiver.messages) == 3
    assert webhook.trouble is None
    assert [0 <= wait <= most for wait, most in zip(clock.slept, (1, 2), strict=True)]


async def test_after_three_tries_it_is_left_and_named_without_its_secret() -> None:
    with receiving(500, 500, 500) as receiver:
        webhook, _ = await told(WebhookOptions(url=receiver.url), [STARTED, SUMMARY])
    assert len(receiver.messages) == 3
    assert webhook.trouble == "The webhook at 127.0.0.1 did not get the report: status 500"


async def test_a_refusal_that_cannot_change_is_not_asked_again() -> None:
    with receiving(404) as receiver:
        webhook, _ = await told(WebhookOptions(url=receiver.url), [STARTED, SUMMARY])
    assert len(receiver.messages) == 1
    assert webhook.trouble is not None
    assert "404" in webhook.trouble


async def test_a_server_that_hangs_once_is_asked_again() -> None:
    with receiving(HANG) as receiver:
        webhook, _ = await told(WebhookOptions(url=receiver.url), [STARTED, SUMMARY])
    assert len(receiver.messages) == 2
    assert webhook.trouble is None


async def test_nobody_there_is_no_error_of_the_run() -> None:
    with receiving() as receiver:
        pass  # its port is closed again
    webhook, _ = await told(WebhookOptions(url=receiver.url), [STARTED, SUMMARY])
    assert webhook.trouble is not None
    assert "s3cr3t" not in webhook.trouble
    assert "t0k3n" not in webhook.trouble


async def test_an_interrupted_run_tries_once() -> None:
    """Somebody waits for it to end."""
    with receiving(500) as receiver:
        webhook, _ = await told(
            WebhookOptions(url=receiver.url), [STARTED, replace(SUMMARY, interrupted=True)]
        )
    assert len(receiver.messages) == 1
    assert webhook.trouble is not None


async def test_many_failures_are_told_once_while_the_run_is_on() -> None:
    progress = Progress(done=17, failed=3)
    with receiving() as receiver:
        await told(
            WebhookOptions(url=receiver.url), [STARTED, failure(), failure(), SUMMARY], progress
        )
    alert, end = receiver.messages
    assert (alert["event"], alert["reason"]) == ("failures", "failure_rate")
    assert (alert["done"], alert["failed"], alert["failure_rate"]) == (17, 3, 0.15)
    assert alert["run_id"] == "r1"
    assert alert["latest"]["path"] == "/photos/a.jpg"
    assert end["event"] == "run_ended"


async def test_every_so_many_failures_are_told() -> None:
    with receiving() as receiver:
        events = [STARTED, *(failure() for _ in range(7)), SUMMARY]
        await told(WebhookOptions(url=receiver.url, every=3), events, Progress(failed=7))
    assert [message.get("reason") for message in receiver.messages] == ["every", "every", None]


async def test_names_that_are_no_text_arrive_escaped() -> None:
    with receiving() as receiver:
        await told(
            WebhookOptions(url=receiver.url, every=1), [STARTED, failure("caf\udce9.jpg"), SUMMARY]
        )
    assert receiver.messages[0]["latest"]["path"] == "caf\\udce9.jpg"


async def test_a_receiver_that_is_down_costs_a_run_two_series_of_tries_at_most() -> None:
    """More alerts than the queue holds neither block nor raise; the end is still told."""
    with receiving(500, 500, 500) as receiver:
        events = [STARTED, *(failure() for _ in range(3 * QUEUE_LENGTH)), SUMMARY]
        webhook, _ = await told(WebhookOptions(url=receiver.url, every=1), events)
    kinds = [message["event"] for message in receiver.messages]
    assert kinds == ["failures"] * 3 + ["run_ended"]
    assert webhook.trouble is None


def test_few_items_give_no_share() -> None:
    alarm = Alarm(failure_rate=0.1, every=None)
    assert alarm.after_failure(done=0, failed=19) is None
    assert alarm.after_failure(done=18, failed=2) is None  # not above it
    assert alarm.after_failure(done=18, failed=3) == "failure_rate"
    assert alarm.after_failure(done=18, failed=4) is None


async def test_a_proxy_that_cannot_be_used_is_not_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://user:s3cr3t@proxy")
    events = [STARTED, *(failure() for _ in range(3 * QUEUE_LENGTH)), SUMMARY]
    with receiving() as receiver:
        webhook, _ = await told(WebhookOptions(url=receiver.url, every=1), events)
    assert webhook.trouble == "The webhook at 127.0.0.1 could not be called: ValueError"


async def test_a_host_name_that_cannot_be_encoded_is_not_a_bug() -> None:
    webhook, _ = await told(WebhookOptions(url="http://xn--a/"), [STARTED, SUMMARY])
    assert webhook.trouble is not None
    assert webhook.trouble.startswith("The webhook at xn--a did not get the report")
