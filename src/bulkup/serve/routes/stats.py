"""GET /stats: where everything stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bulkup.operations.status import status_document
from bulkup.serve.access import route
from bulkup.serve.context import context_of


async def stats(request: Request) -> Response:
    """`status --json`."""
    context = context_of(request)
    stale, now = context.settings.run.stale_after_seconds, context.clock.now()
    return JSONResponse(
        await context.manifest.read(lambda reader: status_document(reader, stale, now=now))
    )


ROUTES = (route("/stats", stats),)
