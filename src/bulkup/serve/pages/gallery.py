"""/: pictures by date, in an album, or as a search finds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from bulkup.errors import BulkupError, ManifestError
from bulkup.manifest.gallery.pages import GalleryRow, Month, Place
from bulkup.manifest.server import ServerReader
from bulkup.model import Digest
from bulkup.serve.access import route
from bulkup.serve.context import ServerContext, context_of
from bulkup.serve.pages.templates import page
from bulkup.serve.problems import Problem
from bulkup.serve.routes.parameters import optional_number_in, text_in
from bulkup.serve.routes.search import FILTERS, request_in
from bulkup.serve.searches import MOST_HITS, HitPage

PAGE = 120
"""Pictures at once: some screens full, and small enough for a page within 50 ms."""
HITS = 60
FEW = 5
"""Pictures of a day, on average: with fewer, half of the page would be headings."""
_PLACE = re.compile(r"([0-9][0-9T:.+ -]{0,24}|)~([0-9]{1,18})")
_MOMENT = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Day(NamedTuple):
    """Pictures of one day: 2019-05-03; of a month, or shorter where less is known."""

    day: str
    pictures: list[GalleryRow]


class Year(NamedTuple):
    """A year of the timeline, with its months."""

    year: str
    pictures: int
    months: list[Month]


def place_in(request: Request, name: str) -> Place | None:
    """A place in the timeline: `2019-05-03T10:00:00~17`, or the end of a day, month or year.

    Raises Problem (422).
    """
    text = text_in(request, name)
    if text is None:
        return None
    if _MOMENT.fullmatch(text):
        return f"{text}~", 0  # '~' is behind all that may follow in a time
    found = _PLACE.fullmatch(text)
    if found is None:
        raise Problem(422, f"{name} is no place in the timeline")
    return found[1], int(found[2])


def text_of(place: Place) -> str:
    """The inverse of `place_in`."""
    return f"{place[0]}~{place[1]}"


async def gallery(request: Request) -> Response:
    """The page for what the query asks: a search, pictures like another, an album, or all."""
    context = context_of(request)
    if (text := text_in(request, "q")) is not None:
        return await _search(request, text)
    if (like := text_in(request, "like")) is not None:
        return await _similar(request, like)
    older_than, newer_than = place_in(request, "from"), place_in(request, "until")
    album = text_in(request, "album")

    def read(reader: ServerReader) -> tuple[list[GalleryRow], bool, list[Month], list[str]]:
        if newer_than is not None:
            rows = reader.gallery.newer(newer_than, PAGE, album=album)
        else:
            rows = reader.gallery.older(older_than, PAGE, album=album)
        has_newer = bool(rows) and bool(reader.gallery.newer(rows[0].place, 1, album=album))
        return rows, has_newer, reader.gallery.months(), reader.albums.names()

    rows, has_newer, months, albums = await context.manifest.read(read)
    return page(
        request,
        "gallery.html",
        days=days_of(rows),
        album=album,
        albums=albums,
        years=years_of(months) if album is None else [],
        newer=_link("until", rows[0].place, album) if has_newer else None,
        older=_link("from", rows[-1].place, album) if len(rows) == PAGE else None,
        here_place=text_of(older_than) if older_than else "",
    )


def _link(name: str, place: Place, album: str | None) -> str:
    query = {name: text_of(place), **({} if album is None else {"album": album})}
    return f"?{urlencode(query)}"


def days_of(rows: Sequence[GalleryRow]) -> list[Day]:
    """The pictures by day, in their order; by month where days have few."""
    days = len({row.taken_at[:10] for row in rows})
    length = 7 if len(rows) < FEW * days else 10
    return [
        Day(day, list(pictures))
        for day, pictures in groupby(rows, key=lambda row: row.taken_at[:length])
    ]


def years_of(months: Iterable[Month]) -> list[Year]:
    """The months by year, newest first."""
    years = groupby(months, key=lambda month: month.month[:4])
    return [
        Year(year, sum(one.pictures for one in some), some)
        for year, some in ((year, list(found)) for year, found in years)
    ]


async def _search(request: Request, text: str) -> Response:
    context, after = context_of(request), _after(request)
    try:
        found = await context.searches.text(request_in(request, text), after, HITS)
    except ManifestError:
        raise
    except BulkupError as error:
        notes = (str(error), *([error.hint] if error.hint else []))
        found = HitPage((), notes, None)
    filters = {name: text_in(request, name) or "" for name in FILTERS}
    kept = {"q": text, **{name: value for name, value in filters.items() if value}}
    return await hits_page(request, found, f"Closest matches: {text}", text, kept, filters)


async def _similar(request: Request, like: str) -> Response:
    if _DIGEST.fullmatch(like) is None:
        raise Problem(422, "like is no digest")
    found = await context_of(request).searches.similar(Digest(like), _after(request), HITS)
    return await hits_page(request, found, "Similar pictures", "", {"like": like}, None)


def _after(request: Request) -> int:
    return optional_number_in(request, "cursor", most=MOST_HITS) or 0


async def hits_page(
    request: Request,
    found: HitPage,
    title: str,
    text: str,
    kept: dict[str, str],
    filters: dict[str, str] | None,
) -> Response:
    """The page of a search; `kept` is the query of its next page, `filters` those of the form."""
    following = None
    if found.next_after is not None:
        following = f"?{urlencode({**kept, 'cursor': str(found.next_after)})}"
    return page(
        request,
        "search.html",
        title=title,
        text=text,
        hits=await rows_of(context_of(request), found),
        notes=found.notes,
        following=following,
        filters=filters,
        like=kept.get("like"),
    )


async def rows_of(context: ServerContext, found: HitPage) -> list[tuple[GalleryRow, float]]:
    """The hits as the gallery shows them, with their scores."""
    scores = {hit.picture.content_id: hit.score for hit in found.hits}
    rows = await context.manifest.read(lambda reader: reader.gallery.of_contents(list(scores)))
    return [(row, scores[row.content_id]) for row in rows]


ROUTES = (route("/", gallery),)
