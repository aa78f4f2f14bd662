"""GET /notifications and POST /notifications/read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.documents import Document
from bulkup.serve.live.hub import notification_document
from bulkup.serve.problems import Problem
from bulkup.serve.routes.parameters import document_in, number_in, optional_number_in


async def notifications(request: Request) -> Response:
    """Ends of runs and alerts, the newest first: {"unread", "notifications", "next"}."""
    limit, before = number_in(request, "limit", 50), optional_number_in(request, "cursor")
    unread, found = await context_of(request).manifest.read(
        lambda reader: (
            reader.notifications.unread(),
            reader.notifications.newest(limit, before=before),
        )
    )
    return Document(
        {
            "unread": unread,
            "notifications": [notification_document(one) for one in found],
            "next": str(found[-1].id) if len(found) == limit else None,
        }
    )


async def read(request: Request) -> Response:
    """{"up_to": id}: those up to this one are read; without a body, all."""
    up_to = (await document_in(request)).get("up_to")
    if up_to is not None and (type(up_to) is not int or not 0 <= up_to < 1 << 63):
        raise Problem(422, "up_to is the number of a notification")
    context = context_of(request)
    now = context.clock.now()
    marked = await context.manifest.write(
        lambda manifest: manifest.notifications.mark_read(up_to, now=now)
    )
    return Document({"read": marked})


ROUTES = (
    route("/notifications", notifications),
    route("/notifications/read", read, methods=["POST"]),
)
