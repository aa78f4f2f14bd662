"""GET /files and /files/DIGEST."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bulkup.manifest.reports.status import matcher
from bulkup.manifest.server import ServerReader
from bulkup.model import Digest
from bulkup.serve.access import route
from bulkup.serve.context import context_of
from bulkup.serve.documents import Document
from bulkup.serve.problems import Problem
from bulkup.serve.routes.parameters import digest_in, number_in, optional_number_in, text_in


async def files(request: Request) -> Response:
    """`files --json`, a page at a time: {"files", "next"}; `next` is the next page's cursor."""
    pattern, limit = text_in(request, "glob"), number_in(request, "limit", 100)
    after = optional_number_in(request, "cursor") or 0
    matches = matcher(pattern)
    page = await context_of(request).manifest.read(
        lambda reader: reader.file_pages.page(matches, after=after, limit=limit)
    )
    rows = [one._asdict() for one in page.files]
    following = None if page.next_after is None else str(page.next_after)
    return Document({"files": rows, "next": following})


async def file(request: Request) -> Response:
    """All that is known of a content."""
    digest = digest_in(request)
    found = await context_of(request).manifest.read(lambda reader: content_document(reader, digest))
    return Document(found)


def content_document(reader: ServerReader, digest: Digest) -> dict[str, Any]:
    """A content with its files, facts, objects and stages. Raises Problem (404)."""
    content = reader.contents.find(digest)
    if content is None:
        raise Problem(404, f"no file has the digest {digest}")
    objects = reader.contents.objects(content.id)
    return {
        "digest": content.digest,
        "size_bytes": content.size_bytes,
        "media_type": content.media_type,
        "key": next((one.key for one in objects if one.kind == "original"), None),
        "paths": [
            {"path": path, "missing": not is_there}
            for path, is_there in reader.contents.paths(content.id)
        ],
        "facts": reader.contents.facts(content.id),
        "albums": reader.contents.albums(content.id),
        "objects": [
            {
                "destination": one.destination,
                "key": one.key,
                "kind": one.kind,
                "size_bytes": one.size_bytes,
            }
            for one in objects
        ],
        "stages": [
            {
                **one._asdict(),
                "history": [attempt._asdict() for attempt in reader.attempts.of_item(one.id)[-20:]],
            }
            for one in reader.contents.items(content.id)
        ],
    }


ROUTES = (route("/files", files), route("/files/{digest}", file))
