"""GET /search, /similar/DIGEST and /duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bulkup.manifest.server import ServerReader
from bulkup.operations.pictures.search import SearchHit
from bulkup.operations.pictures.search_request import SearchRequest, found_pictures
from bulkup.serve.access import route
from bulkup.serve.context import ServerContext, context_of
from bulkup.serve.documents import Document
from bulkup.serve.problems import Problem
from bulkup.serve.routes.parameters import digest_in, number_in, optional_number_in, text_in
from bulkup.serve.searches import MOST_HITS, HitPage

FILTERS = ("path", "after", "before", "camera", "near", "album")


def request_in(request: Request, text: str) -> SearchRequest:
    """The search for `text` with the filters of a request. Raises Problem (422)."""
    filters = {name: text_in(request, name) for name in FILTERS}
    return SearchRequest(text=text, **filters)  # type: ignore[arg-type]  # they are all texts


async def search(request: Request) -> Response:
    """`search --json`, a page at a time: {"hits", "notes", "next"}."""
    text = text_in(request, "q")
    if text is None:
        raise Problem(422, "q is missing: the words to search for")
    context, (after, limit) = context_of(request), _place_in(request)
    page = await context.searches.text(request_in(request, text), after, limit)
    return await _hits(context, page)


async def similar(request: Request) -> Response:
    """The same for pictures like one of the manifest."""
    context, (after, limit) = context_of(request), _place_in(request)
    page = await context.searches.similar(digest_in(request), after, limit)
    return await _hits(context, page)


async def duplicates(request: Request) -> Response:
    """`search --duplicates --json`, some groups at a time: {"groups", "next"}."""
    context, (after, limit) = context_of(request), _place_in(request)
    groups = await context.searches.duplicates.get()
    some = groups[after : after + limit]
    documents = await documents_of(context, [hit for group in some for hit in group])
    at, found = 0, []
    for group in some:
        found.append(documents[at : at + len(group)])
        at += len(group)
    is_more = len(groups) > after + limit
    return Document({"groups": found, "next": str(after + limit) if is_more else None})


def _place_in(request: Request) -> tuple[int, int]:
    after = optional_number_in(request, "cursor", most=MOST_HITS) or 0
    return after, number_in(request, "limit", 50, most=200)


async def _hits(context: ServerContext, page: HitPage) -> Response:
    return Document(
        {
            "hits": await documents_of(context, page.hits),
            "notes": page.notes,
            "next": None if page.next_after is None else str(page.next_after),
        }
    )


async def documents_of(context: ServerContext, hits: Iterable[SearchHit]) -> list[dict[str, Any]]:
    """The hits as `search --json` shows them."""
    some = tuple(hits)

    def documents(reader: ServerReader) -> list[dict[str, Any]]:
        placed = reader.searchable.placed(hit.picture.content_id for hit in some)
        return [one.as_json() for one in found_pictures(some, placed)]

    return await context.manifest.read(documents)


ROUTES = (
    route("/search", search),
    route("/similar/{digest}", similar),
    route("/duplicates", duplicates),
)
