"""The webhook: POSTs to a URL how a run ended, and when too much of it fails.

Each message is a POST of one JSON object with `schema` (1), `event` (`run_ended` or `failures`),
`host` and `at`; `run_ended` has the fields of Summary, or `error` and `exit_code` if the run broke
off. httpx is imported late. The URL is often a secret: messages name only its host.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from bulkup.errors import BulkupError
from bulkup.events import AttemptFailed, Event, Json, RunStarted, Summary
from bulkup.http_statuses import PASSING_STATUSES
from bulkup.model import Snapshot, total_of
from bulkup.pace.tries import RetryRule, with_tries_while
from bulkup.proxies import proxy_for

if TYPE_CHECKING:
    from random import Random
    from types import TracebackType

    import httpx

    from bulkup.clock import Clock
    from bulkup.settings.table import WebhookOptions

SCHEMA = 1
TRIES = 3
TIMEOUT_SECONDS = 10.0
"""For one request. A receiver that needs longer should respond first."""

LAST_SECONDS = 60.0
"""How long messages may delay the end of a run: two of them with all their tries."""

LEAST_ENDED = 20
"""Below this number of finished items, a failure rate is not meaningful."""

QUEUE_LENGTH = 16
"""The most messages not yet sent; further ones are dropped, as the next ones repeat them."""


@dataclass(slots=True)
class Alarm:
    """Decides when failures are worth a message. Pure."""

    failure_rate: float
    every: int | None
    failures: int = 0
    rate_was_reported: bool = False

    def after_failure(self, *, done: int, failed: int) -> str | None:
        """Count one more failure; the reason for a message, 'failure_rate' or 'every', or None.

        `done` and `failed` are the finished items of the run so far.
        """
        self.failures += 1
        ended = done + failed
        if (
            not self.rate_was_reported
            and ended >= LEAST_ENDED
            and failed > self.failure_rate * ended
        ):
            self.rate_was_reported = True
            return "failure_rate"
        if self.every is not None and self.failures % self.every == 0:
            return "every"
        return None


class WebhookRefused(Exception):
    """The webhook responded, but not with a 2xx."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Webhook:
    """Reports one run from its own task: the run never waits for it until its end.

    `emit` is an Emit of `bulkup.events`. Nothing raises for what the receiver does: after the
    context, `trouble` says what could not be reported, or is None.
    """

    def __init__(
        self,
        options: WebhookOptions,
        take: Callable[[], Snapshot],
        clock: Clock,
        random: Random,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._options = options
        assert options.url is not None
        self._url = options.url
        self._take = take
        self._clock = clock
        self._random = random
        self._timeout_seconds = timeout_seconds
        self._alarm = Alarm(options.failure_rate, options.every)
        self._started: RunStarted | None = None
        self._summary: Any = None
        self._queue: asyncio.Queue[Json | None] = asyncio.Queue(QUEUE_LENGTH)
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    def emit(self, event: Event) -> None:
        """Take an event; returns at once."""
        if isinstance(event, RunStarted):
            self._started = event
        elif event.kind == Summary.kind:
            self._summary = event
        elif isinstance(event, AttemptFailed) and self._options.on != "never":
            stage = total_of(self._take())
            why = self._alarm.after_failure(done=stage.done, failed=max(stage.failed, 1))
            if why is not None and not self._queue.full():
                self._queue.put_nowait(self._failures(why, event, stage.done, stage.failed))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._post_all())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Report how the run ended, and wait until that is sent, but not for long."""
        assert self._task is not None
        try:
            async with asyncio.timeout(LAST_SECONDS):
                if (message := self._ended(error)) is not None:
                    await self._queue.put(message)
                await self._queue.put(None)
                await self._task
        except TimeoutError:
            self.trouble = f"{self._named} does not respond"
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # Messages -----------------------------------------------------------------------------------

    def _message(self, event: str, fields: Mapping[str, object]) -> Json:
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="seconds")
        head = {"schema": SCHEMA, "event": event, "host": socket.gethostname()}
        return {**fields, **head, "at": at.replace("+00:00", "Z")}

    def _run(self) -> dict[str, object]:
        run = self._started
        if run is None:
            return {}
        return {"run_id": run.run_id, "command": run.command, "destination": run.destination}

    def _failures(self, why: str, latest: AttemptFailed, done: int, failed: int) -> Json:
        return self._message(
            "failures",
            {
                **self._run(),
                "reason": why,
                "done": done,
                "failed": failed,
                "failure_rate": round(failed / max(done + failed, 1), 4),
                "latest": latest.as_json()[0],
            },
        )

    def _ended(self, error: BaseException | None) -> Json | None:
        """The last message; None if `notify.on` excludes it."""
        summary, on = self._summary, self._options.on
        if on == "never":
            return None
        if summary is not None:
            good = summary.exit_code == 0 and not summary.interrupted
            if on == "failure" and good:
                return None
            return self._message("run_ended", summary.as_json()[0])
        if isinstance(error, BulkupError):
            code = int(error.exit_code)
            return self._message(
                "run_ended", {**self._run(), "error": str(error), "exit_code": code}
            )
        return None

    # Sending ------------------------------------------------------------------------------------

    @property
    def _named(self) -> str:
        return f"The webhook at {urlsplit(self._url).hostname}"

    async def _post_all(self) -> None:
        """Send the messages of the queue, up to the None at its end."""
        message = await self._queue.get()
        if message is None:
            return
        try:
            client = await asyncio.to_thread(_client, self._url)
        except (ValueError, ImportError, OSError) as error:
            # Proxy settings or certificates that cannot be used; a proxy URL may hold a password.
            self.trouble = f"{self._named} could not be called: {type(error).__name__}"
            while message is not None:
                message = await self._queue.get()
            return
        async with client:
            while message is not None:
                # After a failure, only the end of the run is sent.
                if self.trouble is None or message["event"] == "run_ended":
                    await self._post(client, message)
                message = await self._queue.get()

    async def _post(self, client: httpx.AsyncClient, message: Json) -> None:
        import httpx

        async def call() -> None:
            async with asyncio.timeout(self._timeout_seconds):
                response = await client.post(self._url, json=_valid(message))
            if not response.is_success:
                raise WebhookRefused(response.status_code)

        # The user who interrupted the run is waiting.
        tries = 1 if message.get("interrupted") else TRIES
        try:
            await with_tries_while(
                call, RetryRule(_may_change), tries=tries, clock=self._clock, random=self._random
            )
        except TimeoutError:
            why = f"no response within {self._timeout_seconds:g} s"
        except WebhookRefused as error:
            why = str(error)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            why = type(error).__name__  # its message may hold the URL
        else:
            self.trouble = None
            return
        self.trouble = f"{self._named} did not get the report: {why}"


def _client(url: str) -> httpx.AsyncClient:
    """Called in a thread: importing httpx and reading certificates takes 0.2 s."""
    import httpx

    proxy = proxy_for(url, os.environ)
    direct = None if proxy else {"http://": None, "https://": None}
    # Each request has a time-out
    return httpx.AsyncClient(timeout=None, proxy=proxy, mounts=direct)  # noqa: S113 - see above


def _may_change(error: BaseException) -> bool:
    """Whether another try may succeed: all but a refusal of this message."""
    import httpx

    if isinstance(error, WebhookRefused):
        return error.status >= 500 or error.status == 429 or error.status in PASSING_STATUSES
    return isinstance(error, TimeoutError | httpx.TransportError) and not isinstance(
        error, httpx.UnsupportedProtocol
    )


def _valid(value: object) -> object:
    """The message with bytes that are not UTF-8 as \\udcXX text: JSON must be UTF-8."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {name: _valid(inner) for name, inner in value.items()}
    return value
