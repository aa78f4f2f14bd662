"""Files are announced together: the server counts calls, not files.

While one call is under way, the announcements that come are collected for the next. So a push of
many small files takes a call for as many of them as it sends at the same time.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any, NamedTuple

from bulkup.errors import StoreBroken
from bulkup.stores.broker.calls import Calls
from bulkup.stores.broker.errors import refused

MOST_FILES = 50
MOST_BYTES = 48 << 10
"""Of a call's body; the server takes 64 KiB."""


class _Waiting(NamedTuple):
    subject: str
    fields: dict[str, object]
    size_bytes: int
    answer: asyncio.Future[dict[str, Any]]


class Announcements:
    """Announcements to one server. For use from one event loop."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def announce(self, subject: str, fields: dict[str, object]) -> dict[str, Any]:
        """What the server says of a file. Raises as `Calls.call_paced` does."""
        size_bytes = len(json.dumps(fields)) + 2
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(subject, fields, size_bytes, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await answer

    async def close(self) -> None:
        """Give up what was not announced yet. May be called twice."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        try:
            await asyncio.sleep(0)  # those that begin together are announced together
            while some := self._next():
                await _answer(some, self._calls)
        finally:
            self._sending = None
            for one in self._waiting:
                one.answer.cancel()
            self._waiting.clear()

    def _next(self) -> list[_Waiting]:
        """The announcements of the next call; those that nobody waits for any more are dropped."""
        some: list[_Waiting] = []
        left = MOST_BYTES
        while self._waiting and len(some) < MOST_FILES:
            if not self._waiting[0].answer.done():
                left -= self._waiting[0].size_bytes
                if some and left < 0:
                    break
                some.append(self._waiting[0])
            self._waiting.popleft()
        return some


async def _answer(some: list[_Waiting], calls: Calls) -> None:
    try:
        found = await _ask(some, calls)
    except BaseException as error:
        for one in some:
            if not one.answer.done():
                if isinstance(error, Exception):
                    one.answer.set_exception(error)
                else:
                    one.answer.cancel()
        if not isinstance(error, Exception):
            raise
        return
    for one, fields in zip(some, found, strict=True):
        if one.answer.done():
            continue
        status = fields.get("status")
        if isinstance(status, int) and status >= 300:
            one.answer.set_exception(refused(status, fields, one.subject, calls.secrets))
        else:
            one.answer.set_result(fields)


async def _ask(some: list[_Waiting], calls: Calls) -> list[dict[str, Any]]:
    """The server's answers, in the order of the announcements."""
    if len(some) == 1:
        one = some[0]
        return [
            await calls.call_paced("POST", "/uploads", subject=one.subject, document=one.fields)
        ]
    subject = f"{len(some)} files, {some[0].subject} first"
    document = {"files": [one.fields for one in some]}
    answer = await calls.call_paced("POST", "/uploads/batch", subject=subject, document=document)
    found = answer.get("uploads")
    if not isinstance(found, list) or len(found) != len(some):
        raise StoreBroken(f"{subject}: the server answers for other files")
    return [one if isinstance(one, dict) else {} for one in found]
