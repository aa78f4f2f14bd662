"""The headers of every response; and errors as responses."""

from __future__ import annotations

import sys
import traceback

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bulkup.errors import BulkupError
from bulkup.serve.access import bucket_of
from bulkup.serve.context import ServerContext
from bulkup.serve.problems import Problem, problem_of, problem_response

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: {images}; "
    "media-src 'self' {images}; connect-src 'self' {images}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Responses:
    """Adds the headers that keep browsers safe and those of the rate limit, and turns errors into
    problem details."""

    def __init__(
        self, app: ASGIApp, context: ServerContext, *, bucket_origins: tuple[str, ...] = ()
    ) -> None:
        """Pages may load from `bucket_origins`, where signed URLs lead, and from nowhere else."""
        self._app = app
        self._context = context
        policy = CONTENT_SECURITY_POLICY.format(images=" ".join(bucket_origins))
        self._headers = {**_HEADERS, "content-security-policy": " ".join(policy.split())}

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

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if is_begun:
                raise
            problem = _problem(error)
            await problem_response(problem, request.url.path)(scope, receive, send_with_headers)

    def _add(self, request: Request, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        context = self._context
        allowance = context.rate_limits.allowance(bucket_of(request), context.clock.monotonic())
        message["headers"] = [*message["headers"], *allowance.headers()]


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, BulkupError):
        return problem_of(error)
    if isinstance(error, HTTPException):
        return Problem(error.status_code, error.detail, headers=error.headers)
    traceback.print_exception(error, file=sys.stderr)
    return Problem(500, "an unexpected error; the server's log has more")
