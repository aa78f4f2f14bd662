"""Searches as requests ask for them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import NamedTuple

from bulkup.clock import Clock
from bulkup.manifest.server import ServerReader
from bulkup.model import Digest
from bulkup.operations.pictures.kept_pictures import KeptPictures
from bulkup.operations.pictures.search import SearchHit, SearchResult, SearchSession
from bulkup.operations.pictures.search_request import SearchRequest, answer
from bulkup.serve.live.aggregation import Aggregation
from bulkup.serve.manifest_threads import ManifestThreads
from bulkup.serve.problems import Problem
from bulkup.settings.options import RunOptions

MOST_HITS = 1000
DUPLICATES_SECONDS = 60.0


class HitPage(NamedTuple):
    """Some hits of a search, and how many hits come before the next page; None: no more."""

    hits: tuple[SearchHit, ...]
    notes: tuple[str, ...]
    next_after: int | None


Groups = tuple[tuple[SearchHit, ...], ...]


class Searches:
    """Searches of one manifest, one at a time, and its near-duplicates, found for all who ask."""

    def __init__(
        self, manifest: ManifestThreads, options: RunOptions, clock: Clock, random: Random
    ) -> None:
        self._manifest = manifest
        self._options = options
        self._clock = clock
        self._random = random
        self._kept: tuple[ServerReader | None, KeptPictures] = None, KeptPictures()
        self.duplicates = Aggregation(self._find_duplicates, DUPLICATES_SECONDS, clock)

    async def text(self, request: SearchRequest, after: int, limit: int) -> HitPage:
        """Hits from `after` on. Raises UsageError, WordsUnknown, EmbedderUnusable."""
        whole = replace(request, limit=min(after + limit + 1, MOST_HITS))
        return _page(await self._answer(whole), after, limit)

    async def example(self, path: str, limit: int) -> HitPage:
        """Pictures like the one in a file. Raises UsageError when it is none, EmbedderUnusable."""
        return _page(await self._answer(SearchRequest(like=path, limit=limit)), 0, limit)

    async def similar(self, digest: Digest, after: int, limit: int) -> HitPage:
        """Pictures like this one, without itself. Raises Problem (404)."""

        def search(reader: ServerReader) -> SearchResult:
            content = reader.contents.find(digest)
            if content is None:
                raise Problem(404, f"no file has the digest {digest}")
            found = self._session(reader).like_content(
                content.id, min(after + limit + 2, MOST_HITS)
            )
            others = tuple(hit for hit in found.hits if hit.picture.content_id != content.id)
            return SearchResult(others, found.notes)

        return _page(await self._manifest.search(search), after, limit)

    async def _answer(self, request: SearchRequest) -> SearchResult:
        return await self._manifest.search(
            lambda reader: answer(
                request,
                reader,
                self._options,
                clock=self._clock,
                random=self._random,
                kept=self._kept_of(reader),
            )
        )

    def _session(self, reader: ServerReader) -> SearchSession:
        from bulkup.search.filters import Filters

        embed, process = self._options.embed, self._options.process
        return SearchSession(
            reader,
            embed,
            process,
            Filters(),
            clock=self._clock,
            random=self._random,
            kept=self._kept_of(reader),
        )

    def _kept_of(self, reader: ServerReader) -> KeptPictures:
        """Of this reader: all searches have one, until the manifest is another file."""
        if self._kept[0] is not reader:
            self._kept = reader, KeptPictures()
        return self._kept[1]

    async def _find_duplicates(self) -> Groups:
        result = await self._answer(SearchRequest(duplicates=True))
        groups: dict[int, list[SearchHit]] = {}
        for hit in result.hits:
            groups.setdefault(hit.group or 0, []).append(hit)
        return tuple(map(tuple, groups.values()))


def _page(result: SearchResult, after: int, limit: int) -> HitPage:
    is_more = len(result.hits) > after + limit
    return HitPage(
        result.hits[after : after + limit], result.notes, after + limit if is_more else None
    )
