"""As many senders at work as requests may be in flight.

    ready queue → send → limiter → store → results

Trouble of the whole destination is waited out by the circuit breaker, or ends the stage; it is no
item's failure.
"""

from __future__ import annotations

import asyncio
from functools import partial

from bulkup.errors import DestinationError, ItemError, StoreForbidden
from bulkup.run.job import JobContext
from bulkup.run.stages.claims import Claims
from bulkup.run.stages.results import StageResults
from bulkup.run.stop_signal import task_group
from bulkup.run.upload.loader import ReadyUpload
from bulkup.run.upload.ready_queue import ReadyQueue
from bulkup.run.upload.sender import Sender

LOOK_SECONDS = 0.1
"""While items are ready: how often the window is compared with the number of senders."""

AHEAD_STEP = 1.1
"""How much larger the limit has become when more connections are opened ahead of their requests."""

REFUSED_HINT = "These keys may not write here: ask for s3:PutObject."


class SenderPool:
    """Takes contents from the ready queue and sends them to the destination."""

    def __init__(
        self,
        job: JobContext,
        sender: Sender,
        claims: Claims,
        results: StageResults,
        ready: ReadyQueue,
    ) -> None:
        self._requests = job.requests
        self._breaker = job.breaker
        self._clock = job.run.clock
        self._stop = job.stop
        self._sender = sender
        self._claims = claims
        self._results = results
        self._ready = ready
        self._active = 0
        self._connected_for = 0  # the limit when connections were last opened ahead

    async def run(self) -> None:
        """Send until the ready queue is closed and empty, or until stopped.

        Raises DestinationError when the destination is full or was given up.
        """
        try:
            await self._ready.begun.wait()
            if not self._ready.is_closed and not self._stop.is_set:
                self._sender.begin_check()
            await self._send_all()
        finally:
            self._sender.end_check()

    async def _send_all(self) -> None:
        async with task_group() as tasks:
            while not self._stop.is_set and (self._ready.items or not self._ready.is_closed):
                self._start_senders(tasks)
                await self._ready.wait_for_change(LOOK_SECONDS)

    def _start_senders(self, tasks: asyncio.TaskGroup) -> None:
        for _ in range(min(len(self._ready.items), self._most() - self._active)):
            self._active += 1
            tasks.create_task(self._send_ready(tasks))
        pacer = self._requests.limiter.pacer
        if pacer.ahead and pacer.limit >= self._connected_for * AHEAD_STEP:
            self._connected_for = pacer.limit
            self._sender.connect_ahead(self._ready)

    def _most(self) -> int:
        """One sender more than may send would make all of them wait, one behind the other. Those
        that wait for their next try do not count."""
        items = self._ready.items
        is_first = not self._sender.is_open and items
        if is_first and self._sender.is_alone(items[0].loaded.size_bytes):
            return 1
        return self._requests.limiter.pacer.limit + self._requests.backing_off

    async def _send_ready(self, tasks: asyncio.TaskGroup) -> None:
        items = self._ready.items
        try:
            if not self._sender.is_open and self._sender.is_unknown:
                self._ready.put_smallest_first()
            while items and not self._stop.is_set and self._active <= (most := self._most()):
                ready = self._ready.take()
                if self._active < most:
                    self._start_senders(tasks)
                try:
                    await self._send(ready, tasks)
                finally:
                    self._ready.release(ready)
        finally:
            self._active -= 1

    async def _send(self, ready: ReadyUpload, tasks: asyncio.TaskGroup) -> None:
        """Send one content. It keeps its claim when the job stops first."""
        breaker, item = self._breaker, ready.item
        while not breaker.is_open or await breaker.wait_until_closed():
            began = self._clock.monotonic()
            try:
                if not self._sender.is_checked:
                    self._sender.connect_ahead(self._ready)
                    await self._sender.check()
                    self._start_senders(tasks)
                done, kind = await self._sender.send(ready)
            except DestinationError as error:
                trouble: DestinationError | None = error
            except ItemError as error:
                trouble = breaker.trouble_of(error, began, refused_hint=REFUSED_HINT)
                if trouble is None:
                    seconds = self._clock.monotonic() - began
                    fail = partial(self._results.add_failure, item, error, seconds)
                    if isinstance(error, StoreForbidden):
                        self._claims.hold_refused(item.item_id, fail)
                        return
                    fail()
            else:
                trouble = None
                breaker.record_success(self._clock.monotonic())
                self._results.add_upload(done, ready.loaded.digest, kind)
            if trouble is None:
                self._claims.end(item.item_id)
                return
            if not await breaker.recover(trouble):
                return
