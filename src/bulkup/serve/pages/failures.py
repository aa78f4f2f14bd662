"""/failures: what failed, why, how often it was tried; and the buttons that try again."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.pages.templates import page
from bulkup.serve.problems import Problem
from bulkup.serve.routes.failures import (
    CLASSES,
    STAGES,
    STATES,
    failures_document,
    query_in,
    retry_arguments,
)
from bulkup.serve.routes.parameters import optional_number_in, text_in
from bulkup.serve.tokens import Role

PAGE = 50
_FORM_BYTES = 256 << 10
_FILTER = ("stage", "class", "state", "path")


async def failures(request: Request) -> Response:
    context, before = context_of(request), optional_number_in(request, "cursor")
    query, _ = query_in(request)
    document = await context.manifest.read(
        lambda reader: failures_document(reader, query, before, PAGE)
    )
    chosen = {name: text_in(request, name) or "" for name in _FILTER}
    kept = {name: value for name, value in chosen.items() if value}
    following = None
    if document["next"] is not None:
        following = f"?{urlencode({**kept, 'cursor': document['next']})}"
    return page(
        request,
        "failures.html",
        failures=document["failures"],
        counts=document["counts"],
        chosen=chosen,
        choices={"stage": STAGES, "class": CLASSES, "state": STATES},
        following=following,
        started=text_in(request, "started"),
    )


async def retry(request: Request) -> Response:
    """The buttons: one file, those that are ticked, or all that the filter shows."""
    fields = parse_qs((await request.body()).decode(errors="replace"))
    if "only" in fields or "ticked" in fields:
        items = fields.get("only") or fields.get("item") or []
        if not all(re.fullmatch("[0-9]{1,19}", one) for one in items):
            raise Problem(422, "an item is a number")
        document: dict[str, object] = {"items": [int(one) for one in items]}
        if not items:
            return RedirectResponse(f"{context_of(request).root_path}/failures", 303)
    else:
        document = {
            name: fields[name][0] for name in ("stage", "class", "path") if fields.get(name)
        }
    context = context_of(request)
    run_id = await context.child_runs.start("retry", retry_arguments(document))
    return RedirectResponse(f"{context.root_path}/failures?started={run_id}", 303)


ROUTES = (
    route("/failures", failures),
    route(
        "/failures/retry",
        retry,
        role=Role.OPERATOR,
        methods=["POST"],
        cost=1,
        body_bytes=_FORM_BYTES,
    ),
)
