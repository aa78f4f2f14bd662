"""/activity: the three phases, runs at work and ended ones; /notifications."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bulkup.serve.access import Endpoint, route
from bulkup.serve.context import context_of
from bulkup.serve.live.hub import notification_document
from bulkup.serve.pages.templates import page
from bulkup.serve.routes.parameters import optional_number_in, text_in
from bulkup.serve.tokens import Role

ROWS = 20


async def activity(request: Request) -> Response:
    context = context_of(request)
    snapshot = await context.overview.get(fresh=True)
    history = await context.manifest.read(lambda reader: reader.reports.history(ROWS))
    return page(
        request,
        "activity.html",
        runs=snapshot.document["runs"],
        phases=snapshot.document["phases"],
        history=history,
        started=text_in(request, "started"),
    )


def start(command: str) -> Endpoint:
    """A button: process or embed what is there."""

    async def started(request: Request) -> Response:
        context = context_of(request)
        run_id = await context.child_runs.start(command, [])
        return RedirectResponse(f"{context.root_path}/activity?started={run_id}", 303)

    return started


async def notifications(request: Request) -> Response:
    context, before = context_of(request), optional_number_in(request, "cursor")
    found = await context.manifest.read(
        lambda reader: reader.notifications.newest(ROWS, before=before)
    )
    return page(
        request,
        "notifications.html",
        notifications=[notification_document(one) for one in found],
        newest=found[0].id if found else 0,
        following=f"?cursor={found[-1].id}" if len(found) == ROWS else None,
    )


async def read(request: Request) -> Response:
    """The button: all are read."""
    context = context_of(request)
    now = context.clock.now()
    await context.manifest.write(lambda manifest: manifest.notifications.mark_read(None, now=now))
    return RedirectResponse(f"{context.root_path}/notifications", 303)


ROUTES = (
    route("/activity", activity),
    route("/activity/process", start("process"), role=Role.OPERATOR, methods=["POST"], cost=1),
    route("/activity/embed", start("embed"), role=Role.OPERATOR, methods=["POST"], cost=1),
    route("/notifications", notifications),
    route("/notifications/read", read, methods=["POST"]),
)
