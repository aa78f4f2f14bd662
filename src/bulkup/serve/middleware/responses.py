"""The headers of every response; and errors as responses: problem details, or pages.

A request whose connection is one too many has the Problem as `scope["state"]["refusal"]`.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bulkup.errors import BulkupError
from bulkup.serve.access import bucket_of
from bulkup.serve.context import ServerContext, context_of
from bulkup.serve.pages.policy import content_security_policy
from bulkup.serve.pages.templates import page
from bulkup.serve.problems import Problem, problem_of, problem_response, shows_pages

_HEADERS = {
    "content-security-policy": content_security_policy(),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, forms would send Origin: null
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Responses:
    """Adds the headers that keep browsers safe and those of the rate limit, and turns errors into
    problem details."""

    def __init__(self, app: ASGIApp, context: ServerContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        scope["state"] = {**scope.get("state", {}), "context": self._context, "identity": None}
        is_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                self._add(request, message)
            await send(message)

        if (refusal := scope["state"].get("refusal")) is not None:
            response = problem_response(refusal, request.url.path)
            await response(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:  # nobody is there to be told
            return
        except Exception as error:
            if is_begun:
                raise
            response = error_response(request, _problem(error))
            await response(scope, receive, send_with_headers)

    def _add(self, request: Request, message: Message) -> None:
        message["headers"] = with_headers(message["headers"], self._context, bucket_of(request))


def with_headers(
    headers: Sequence[tuple[bytes, bytes]], context: ServerContext, bucket: str
) -> list[tuple[bytes, bytes]]:
    """The headers of a response with those that every one has. `bucket` is whoever asks."""
    found = MutableHeaders(raw=list(headers))
    for name, value in _HEADERS.items():
        found.setdefault(name, value)
    allowance = context.rate_limits.allowance(bucket, context.clock.monotonic())
    return [*found.raw, *allowance.headers()]


def error_response(request: Request, problem: Problem) -> Response:
    """For browsers that show a page, a page; nobody is signed in: the form to sign in."""
    root = context_of(request).root_path
    path = request.url.path.removeprefix(root)
    if path.startswith("/api/") or not shows_pages(request):
        return problem_response(problem, request.url.path)
    if problem.status == 401:
        return RedirectResponse(f"{root}/sign-in", 303, {"Cache-Control": "no-store"})
    title = HTTPStatus(problem.status).phrase
    values = {"title": title, "detail": problem.detail, "hint": problem.fields.get("hint")}
    response = page(request, "error.html", status=problem.status, **values)
    response.headers.update(problem.headers)
    return response


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, BulkupError):
        return problem_of(error)
    if isinstance(error, HTTPException):
        return Problem(error.status_code, error.detail, headers=error.headers)
    traceback.print_exception(error, file=sys.stderr)
    return Problem(500, "an unexpected error; the server's log has more")
