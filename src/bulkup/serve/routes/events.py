"""GET /events: server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bulkup.serve.access import route
from bulkup.serve.context import ServerContext, context_of
from bulkup.serve.identity import identify, sent_token
from bulkup.serve.live.hub import LiveEvent, position_of

COMMENT_SECONDS = 15.0
"""Proxies close connections on which nothing moves, the usual ones after 30 or 60 s."""
SILENT_SECONDS = 300.0
RETRY_MS = 3000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_MEDIA_TYPE = "text/event-stream"


async def events(request: Request) -> Response:
    """`stats`, `failed`, `run_ended`, `alert`; `reload` when the listener missed some."""
    context, last = context_of(request), request.headers.get("last-event-id", "")
    if request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)
    token, _ = sent_token(request.headers, context.cookie)
    body = _lines(context, last, token or "")
    first = await anext(body)  # raises what a response must not begin with
    return _EventStream(first, body)


class _EventStream(StreamingResponse):
    def __init__(self, first: str, rest: AsyncIterator[str]) -> None:
        async def whole() -> AsyncIterator[str]:
            yield first
            async for lines in rest:
                yield lines

        super().__init__(
            whole(),
            headers=_HEADERS,
            media_type=_MEDIA_TYPE,
        )


async def _lines(context: ServerContext, last: str, token: str) -> AsyncIterator[str]:
    """The stream; ends when the server does, after minutes without an event, or instead of the
    next event when the token is no longer valid."""
    with context.live.listening() as queue:
        yield f"retry: {RETRY_MS}\n\n"
        for event in await context.live.since(position_of(last)):
            yield _text(event)
        silent = 0.0
        while silent < SILENT_SECONDS:
            try:
                async with asyncio.timeout(COMMENT_SECONDS):
                    event_or_end = await queue.get()
            except TimeoutError:
                silent += COMMENT_SECONDS
                yield ":\n\n"
                continue
            if event_or_end is None or await identify(token, context) is None:
                return
            silent = 0.0
            yield _text(event_or_end)
        yield "event: bye\ndata: {}\n\n"


def _text(event: LiveEvent) -> str:
    return f"id: {event.position}\nevent: {event.name}\ndata: {event.data}\n\n"


ROUTES = (route("/events", events),)
