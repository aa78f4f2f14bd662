"""A listing page by page, also where the server names the wrong next one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from bulkup.errors import DestinationError

if TYPE_CHECKING:
    from bulkup.stores.s3.http1 import Response

T = TypeVar("T")

STALLS = 5
"""Pages of a listing in a row that bring nothing new: more mean that it has no end. Endpoints that
filter may send some empty ones."""


async def read_pages(
    ask: Callable[[dict[str, str]], Awaitable[Response]],
    read: Callable[[bytes], tuple[list[T], dict[str, str] | None]],
    query: dict[str, str],
    *,
    position: Callable[[T], bytes] | None = None,
    after: bytes = b"",
) -> AsyncIterator[list[T]]:
    """The pages that hold anything.

    `read` returns the entries of a page and what to add to `query` for the next one, None after
    the last. `position` of an entry increases from page to page, from `after` on. A page that does
    not advance, or names a next page that was read already, is asked for again. Raises
    DestinationError when that continues, and what `ask` and `read` raise.
    """
    known: set[tuple[str, ...]] = set()
    stalls = 0
    while True:
        page, following = read((await ask(query)).body)
        last = max(map(position, page), default=b"") if position else None
        token = tuple(following.values()) if following else ()
        is_stale = token in known or (bool(page) and last is not None and last <= after)
        stalls = stalls + 1 if is_stale or (not page and following) else 0
        if stalls >= STALLS:
            raise DestinationError(
                "the endpoint's listing does not end: its pages bring nothing new",
                hint="Is --endpoint-url an S3 endpoint? Its administrator must repair it.",
            )
        if is_stale:
            continue
        if page:
            yield page
            after = last or b""
        if following is None:
            return
        known.add(token)
        query = query | following
