"""GET /stats and /metrics: where everything stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.routes.parameters import has_etag


async def stats(request: Request) -> Response:
    """`status --json`, the phases, and the number of unread notifications."""
    snapshot = await context_of(request).overview.get()
    headers = {"ETag": snapshot.etag, "Cache-Control": "private, max-age=5, must-revalidate"}
    if has_etag(request, snapshot.etag):
        return Response(status_code=304, headers=headers)
    return Response(snapshot.body, headers=headers, media_type="application/json")


async def metrics(request: Request) -> Response:
    """The metrics of `--metrics-file`, in Prometheus' text format."""
    from bulkup.reporting.metrics_file import gather, render

    context = context_of(request)
    stale, now = context.settings.run.stale_after_seconds, context.clock.now()
    text = await context.manifest.read(
        lambda reader: render(gather(reader, now=now, stale_after_seconds=stale))
    )
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


ROUTES = (route("/stats", stats), route("/metrics", metrics))
