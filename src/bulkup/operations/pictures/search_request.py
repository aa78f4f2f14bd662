"""One search: what is asked for, and the pictures that answer it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from bulkup.clock import Clock
from bulkup.errors import UsageError
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.search import Placed
from bulkup.manifest.reports.status import matcher
from bulkup.operations.pictures.albums import members_of
from bulkup.operations.pictures.kept_pictures import KeptPictures
from bulkup.operations.pictures.search import SearchHit, SearchResult, SearchSession
from bulkup.settings.options import RunOptions
from bulkup.settings.units import local_time, moment_option

if TYPE_CHECKING:
    from bulkup.search.filters import Filters

HITS = 20
"""The most hits, if nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Words, an example, or near-duplicates, and the conditions for all hits."""

    text: str = ""
    like: str | None = None  # a file, or a path in the manifest
    duplicates: bool = False
    limit: int | None = None  # hits, or groups of near-duplicates
    path: str | None = None  # a shell pattern
    after: str | None = None  # a date or an age
    before: str | None = None
    camera: str | None = None
    near: str | None = None  # latitude, longitude, kilometres
    album: str | None = None
    explain: bool = False

    def check(self) -> None:
        """Raise UsageError unless one thing is asked for."""
        if sum([bool(self.text), self.like is not None, self.duplicates]) != 1:
            raise UsageError(
                "search needs words, --like FILE or --duplicates, and only one of them",
                hint="For example: bulkup search sailing boat",
            )
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"the limit is {self.limit}; it is 1 or more")

    def filters(self, reader: Reader) -> Filters:
        """The conditions. Raises UsageError for one that cannot be read."""
        from bulkup.search.filters import Filters, parse_near

        now = datetime.now()  # noqa: DTZ005 - cameras' clocks show local time

        def when(text: str | None, option: str) -> datetime | None:
            if text is None:
                return None
            return local_time(moment_option(text, option=option), now=now)

        filters = Filters(
            path=None if self.path is None else matcher(self.path),
            after=when(self.after, "--after"),
            before=when(self.before, "--before"),
            camera=self.camera,
            near=None if self.near is None else parse_near(self.near),
        )
        if filters.after and filters.before and filters.after >= filters.before:
            raise UsageError(
                f"--after {self.after} is not before --before {self.before}: no picture fits"
            )
        if self.album is None:
            return filters
        paths, matches = members_of(reader.albums, self.album).paths, filters.path
        return replace(
            filters, path=lambda path: path in paths and (matches is None or matches(path))
        )


def answer(
    request: SearchRequest,
    reader: Reader,
    options: RunOptions,
    *,
    clock: Clock,
    random: Random,
    kept: KeptPictures | None = None,
) -> SearchResult:
    """Search; `kept` is of earlier searches with this reader. Raises UsageError, WordsUnknown,
    EmbedderUnusable and ItemError."""
    request.check()
    session = SearchSession(
        reader,
        options.embed,
        options.process,
        request.filters(reader),
        clock=clock,
        random=random,
        kept=kept,
    )
    if request.duplicates:
        return session.duplicates(request.limit)
    if request.like is not None:
        return session.like(request.like, request.limit or HITS)
    return session.text(request.text, request.limit or HITS, explain=request.explain)


def matching_digests(
    reader: Reader, text: str, options: RunOptions, clock: Clock, random: Random
) -> frozenset[str]:
    """The digests of the pictures that a search for `text` finds; --limit, or as many as usual."""
    request = SearchRequest(text=text, limit=options.limit)
    hits = answer(request, reader, options, clock=clock, random=random).hits
    return frozenset(hit.picture.digest for hit in hits)


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A picture that a search found, as `search --json` shows it.

    `score` is 0 to 1; more is closer. `group` numbers groups of near-duplicates from 1. With
    `weak`, chance reaches that score, too.
    """

    path: str
    digest: str
    key: str | None  # None: it is at no destination
    score: float
    taken_at: str | None = None  # ISO 8601, or the part of it that is known
    camera: str | None = None
    group: int | None = None
    weak: bool = False
    reasons: tuple[str, ...] = ()  # with `explain`

    def as_json(self) -> dict[str, object]:
        """The fields; without `group`, `weak` and `reasons` where they say nothing."""
        document: dict[str, object] = {
            "path": self.path,
            "digest": self.digest,
            "key": self.key,
            "score": self.score,
            "taken_at": self.taken_at,
            "camera": self.camera,
        }
        if self.group is not None:
            document["group"] = self.group
        if self.weak:
            document["weak"] = True
        if self.reasons:
            document["reasons"] = self.reasons
        return document


def found_pictures(
    hits: Iterable[SearchHit], placed: Mapping[int, Placed]
) -> Iterator[FoundPicture]:
    """The hits. `placed` says by content id where their originals are."""
    for hit in hits:
        picture = hit.picture
        place = placed.get(picture.content_id)
        yield FoundPicture(
            picture.path,
            picture.digest,
            None if place is None else place.key,
            round(hit.score, 6),
            picture.taken_at,
            picture.camera,
            hit.group,
            hit.is_weak,
            hit.reasons,
        )
