"""POST /search-by-example: pictures like one that the browser sends, and that nobody keeps."""

from __future__ import annotations

import tempfile

from starlette.requests import Request
from starlette.responses import Response

from bulkup.errors import BulkupError, ManifestError
from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.pages.gallery import HITS, hits_page
from bulkup.serve.searches import HitPage

MOST_BYTES = 32 << 20


async def example(request: Request) -> Response:
    """The body is the picture; a part of the page /?q=… comes back, see static/page.js."""
    body = await request.body()
    context = context_of(request)
    with tempfile.NamedTemporaryFile(prefix="bulkup-example-") as file:
        file.write(body)
        file.flush()
        try:
            found = await context.searches.example(file.name, HITS)
        except ManifestError:
            raise
        except BulkupError as error:
            found = HitPage((), (str(error).replace(file.name, "this file"),), None)
    return await hits_page(request, found, "Pictures like this file", "", {}, None)


ROUTES = (route("/search-by-example", example, methods=["POST"], cost=1, body_bytes=MOST_BYTES),)
