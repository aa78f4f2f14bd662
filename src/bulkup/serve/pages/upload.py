"""/upload: files dropped into the page go to the destination; see static/upload.js."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bulkup.serve.access import route
from bulkup.serve.pages.templates import page
from bulkup.serve.tokens import Role


async def upload(request: Request) -> Response:
    return page(request, "upload.html")


ROUTES = (route("/upload", upload, role=Role.UPLOADER),)
