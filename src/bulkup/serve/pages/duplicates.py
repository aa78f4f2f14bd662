"""/duplicates: groups of near-duplicates, the best picture of each first."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.pages.templates import page
from bulkup.serve.routes.parameters import optional_number_in

PAGE = 30


async def duplicates(request: Request) -> Response:
    context = context_of(request)
    after = optional_number_in(request, "cursor", most=1_000_000) or 0
    groups = await context.searches.duplicates.get()
    some = groups[after : after + PAGE]
    contents = [hit.picture.content_id for group in some for hit in group]
    rows = await context.manifest.read(lambda reader: reader.gallery.of_contents(contents))
    by_id = {row.content_id: row for row in rows}
    shown = [
        [(by_id[hit.picture.content_id], hit) for hit in group if hit.picture.content_id in by_id]
        for group in some
    ]
    is_more = len(groups) > after + PAGE
    return page(
        request,
        "duplicates.html",
        groups=[group for group in shown if group],
        total=len(groups),
        following=f"?cursor={after + PAGE}" if is_more else None,
    )


ROUTES = (route("/duplicates", duplicates),)
