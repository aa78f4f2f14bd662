"""/upload: files dropped into the page go to the destination; see static/upload.js."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.pages.policy import content_security_policy
from bulkup.serve.pages.templates import page
from bulkup.serve.tokens import Role


async def upload(request: Request) -> Response:
    response = page(request, "upload.html")
    buckets = await context_of(request).stores.origins()
    response.headers["Content-Security-Policy"] = content_security_policy(buckets)
    return response


ROUTES = (route("/upload", upload, role=Role.UPLOADER),)
