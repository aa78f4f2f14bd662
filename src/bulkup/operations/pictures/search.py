"""Search embedded pictures by words, by an example, or for near-duplicates."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from bulkup.clock import Clock
from bulkup.content.picture.facts.moments import moment_of
from bulkup.errors import UsageError
from bulkup.manifest.embeddings import EmbedderRow
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.search import PictureRow
from bulkup.settings.stage_options import EmbedOptions, ProcessOptions

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedder, Vector
    from bulkup.search.filters import Filters
    from bulkup.search.literal_match import Described, Term
    from bulkup.search.matrix import Matrix
    from bulkup.search.text_scores import Hit

CLASSIFIER = "efficientnet-lite0"
"""The embedder whose classes are compared with words. The others encode words themselves."""

MOST_TEXT = 1000
"""Characters of a query. Longer words are compared with every known one, which takes minutes."""


class SearchHit(NamedTuple):
    """A picture and its score, 0 to 1; more is closer. `group` numbers near-duplicates from 1.

    `is_weak`: the score is one that chance reaches, too. `reasons` are sentences, the strongest
    first, where they were asked for.
    """

    picture: PictureRow
    score: float
    group: int | None = None
    is_weak: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, the best first, and notes for the user."""

    hits: tuple[SearchHit, ...]
    notes: tuple[str, ...] = ()


NOTHING = SearchResult((), ("nothing is searchable yet: run bulkup embed",))


class SearchSession:
    """Searches of one manifest, all with the same filters."""

    def __init__(
        self,
        reader: Reader,
        options: EmbedOptions,
        process: ProcessOptions,
        filters: Filters,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self._reader = reader
        self._options = options
        self._process = process
        self._filters = filters
        self._clock = clock
        self._random = random
        self._notes: list[str] = []

    def text(self, text: str, limit: int, *, explain: bool = False) -> SearchResult:
        """Pictures that `text` describes or names; with reasons if `explain`. Raises UsageError for
        a text that is too long, WordsUnknown, EmbedderUnusable, ItemError."""
        if len(text) > MOST_TEXT:
            raise UsageError(
                f"the text has {len(text):,} characters; {MOST_TEXT:,} are the most",
                hint="Describe the picture in a few words.",
            )
        row = self._embedder_row()
        if row is None:
            return NOTHING
        if row.name == CLASSIFIER:
            return self._by_classes(text, row, limit, explain)
        from bulkup.operations.pictures.example import text_vector
        from bulkup.search.query import by_vector_and_terms
        from bulkup.search.text_scores import TextQuery

        vector = asyncio.run(text_vector(text, self._open_embedder(row)))
        query = TextQuery.of(text)
        matrix = self._matrix(row)
        pictures = self._pictures(row, matrix)
        described = [_described(picture) for picture in pictures]
        hits = by_vector_and_terms(vector, query.terms, matrix, described, limit)
        return _with_matching_file_first(self._result(pictures, hits), query.terms)

    def _by_classes(self, text: str, row: EmbedderRow, limit: int, explain: bool) -> SearchResult:
        from bulkup.search.languages import known_languages
        from bulkup.search.query import by_words
        from bulkup.search.query import reasons as why
        from bulkup.search.scale import WEAK
        from bulkup.search.text_scores import TextQuery, unknown_words

        query = TextQuery.of(text, known_languages)
        matrix = self._class_matrix(row)
        pictures = self._pictures(row, matrix)
        described = [_described(picture) for picture in pictures]
        scored = by_words(query, matrix, described, limit)
        if query.understood_as is not None:
            self._notes.append(f"{text!r} is understood as {query.understood_as!r}")
        if query.unknown and scored:
            self._notes.append(f"{unknown_words(query)}. Looked for in names only")
        if scored and scored[0].score < WEAK:
            self._notes.append("no close match: all of these are weak")
        reasons = why(query, matrix, described, scored) if explain else [()] * len(scored)
        result = self._result(pictures, scored)
        hits = tuple(
            hit._replace(is_weak=hit.score < WEAK, reasons=one)
            for hit, one in zip(result.hits, reasons, strict=True)
        )
        return _with_matching_file_first(replace(result, hits=hits), query.terms)

    def like(self, path: str, limit: int) -> SearchResult:
        """Pictures like the one at `path`: a file, or an asset of the manifest. Raises UsageError
        when it is neither, or no picture."""
        row = self._embedder_row()
        if row is None:
            return NOTHING
        from bulkup.search.query import by_vector

        matrix = self._matrix(row)
        vector = self._example_vector(path, row, matrix)
        pictures = self._pictures(row, matrix)
        is_allowed = [picture is not None for picture in pictures]
        return self._result(pictures, by_vector(vector, matrix, is_allowed, limit))

    def like_content(self, content_id: int, limit: int) -> SearchResult:
        """Pictures like a content of the manifest; nothing where it is not embedded."""
        row = self._embedder_row()
        if row is None:
            return NOTHING
        from bulkup.search.query import by_vector, vector_of

        matrix = self._matrix(row)
        vector = vector_of(content_id, matrix)
        if vector is None:
            return SearchResult((), (f"this picture is not embedded by {row.name}",))
        pictures = self._pictures(row, matrix)
        is_allowed = [picture is not None for picture in pictures]
        return self._result(pictures, by_vector(vector, matrix, is_allowed, limit))

    def duplicates(self, limit: int | None) -> SearchResult:
        """Groups of near-duplicates, the ones that waste most bytes first; the best picture of each
        group first."""
        from bulkup.search.duplicates import DuplicateCandidate, find_groups

        row = self._embedder_row()
        found = self._allowed(self._reader.searchable.processed())
        groups = find_groups(
            [
                DuplicateCandidate(
                    p.content_id,
                    p.perceptual_hash,
                    (p.width_px or 0) * (p.height_px or 0),
                    p.size_bytes,
                    p.first_asset_id,
                )
                for p in found.values()
            ],
            None if row is None else self._matrix(row),
        )
        if not groups:
            self._notes.append("no near-duplicates were found")
        hits = (
            SearchHit(found[member.candidate.content_id], member.likeness, number)
            for number, group in enumerate(groups[:limit], 1)
            for member in group.members
        )
        return SearchResult(tuple(hits), tuple(self._notes))

    # Pictures -----------------------------------------------------------------------------

    def _pictures(self, row: EmbedderRow, matrix: Matrix) -> list[PictureRow | None]:
        """The matrix's rows as pictures; None for those without a file, or filtered out."""
        pictures = self._allowed(self._reader.searchable.embedded(row.id))
        digests: dict[str, int] = {
            picture.digest: content_id for content_id, picture in pictures.items()
        }
        for shown, partner in self._reader.searchable.pairs():  # one picture, one hit
            if shown in digests and partner in digests:
                pictures.pop(digests[partner], None)
        return [pictures.get(content_id) for content_id in matrix.contents.tolist()]

    def _allowed(self, rows: Iterable[PictureRow]) -> dict[int, PictureRow]:
        """By content id, the pictures that pass the filters, each with the files that do."""
        if not self._filters:
            return {picture.content_id: picture for picture in rows}
        passed = ((picture, self._allowed_files(picture)) for picture in rows)
        return {
            picture.content_id: picture._replace(files=files) for picture, files in passed if files
        }

    def _allowed_files(self, picture: PictureRow) -> tuple[tuple[str, str], ...]:
        moment = moment_of(picture.taken_at)  # perhaps a year or a month only
        place = None
        if picture.latitude is not None and picture.longitude is not None:
            place = (picture.latitude, picture.longitude)
        return tuple(
            (root, path)
            for root, path in picture.files
            if self._filters.allow(
                f"{root.rstrip('/')}/{path}",
                taken_at=None if moment is None else moment.local,
                camera=picture.camera,
                place_degrees=place,
            )
        )

    def _result(self, pictures: Sequence[PictureRow | None], scored: Sequence[Hit]) -> SearchResult:
        found = ((pictures[place], score) for place, score in scored)
        hits = tuple(SearchHit(picture, score) for picture, score in found if picture is not None)
        if not hits:
            self._notes.append("no picture matches")
        return SearchResult(hits, tuple(self._notes))

    # Vectors ------------------------------------------------------------------------------

    def _embedder_row(self) -> EmbedderRow | None:
        """The embedder of the settings, else the one that embedded last. Raises UsageError for one
        that does not exist."""
        embeddings = self._reader.embeddings
        row = embeddings.newest(self._options.model)
        if row is not None and row.rows:
            most = embeddings.most_rows()
            if row.rows < most:
                self._notes.append(
                    f"only {row.rows:,} of {most:,} pictures are embedded by {row.name} "
                    f"({row.version}) so far; bulkup embed does the rest"
                )
            return row
        from bulkup.embed.open import check_name

        check_name(self._options)
        other = embeddings.newest()
        if other is not None and other.rows:
            self._notes.append(
                f"nothing is embedded by {self._options.model}; {other.name} is used"
            )
            return other
        return None

    def _matrix(self, row: EmbedderRow) -> Matrix:
        """The vectors of all contents."""
        from bulkup.search.matrix import MatrixRow, from_float16, open_matrix
        from bulkup.search.matrix_file import Stamp

        embeddings = self._reader.embeddings
        return open_matrix(
            f"{self._reader.path}.vectors-{row.id}",
            stamp=Stamp(f"{row.token} vectors", row.generation, row.highest, row.rows),
            dimension=row.dimension,
            rows=lambda after: map(MatrixRow._make, embeddings.rows(row.id, after)),
            decode=from_float16(row.dimension),
        )

    def _class_matrix(self, row: EmbedderRow) -> Matrix:
        """What the classifier saw in all contents, ready to be compared with words."""
        from bulkup.search import text_scores
        from bulkup.search.matrix import MatrixRow, from_classes, open_matrix
        from bulkup.search.matrix_file import Stamp

        embeddings, key = self._reader.embeddings, f"{row.token} {text_scores.rows_version()}"
        return open_matrix(
            f"{self._reader.path}.words-{row.id}",
            stamp=Stamp(key, row.generation, row.highest, row.rows),
            dimension=text_scores.ROW,
            rows=lambda after: map(MatrixRow._make, embeddings.class_rows(row.id, after)),
            decode=from_classes(text_scores.KEPT, text_scores.picture_rows),
        )

    def _example_vector(self, path: str, row: EmbedderRow, matrix: Matrix) -> Vector:
        """The example's vector: the manifest's own, or made now."""
        from bulkup.operations.pictures.example import digest_of, example_vector
        from bulkup.search.query import vector_of

        whole = os.path.abspath(path)
        searchable = self._reader.searchable
        is_file = os.path.isfile(whole)
        if is_file:
            content_id = searchable.content_of(digest_of(path))
        else:
            content_id = searchable.content_at(whole)
        vector = None if content_id is None else vector_of(content_id, matrix)
        if vector is not None:
            return vector
        if is_file:
            return asyncio.run(example_vector(path, self._open_embedder(row), self._process))
        if content_id is not None:
            raise UsageError(f"{path} is in the manifest, but not embedded by {row.name}")
        raise UsageError(f"{path} is neither a file nor a path in the manifest")

    def _open_embedder(self, row: EmbedderRow) -> Embedder:
        """The embedder that made the vectors. Raises UsageError when its version is another now."""
        from bulkup.embed.open import open_embedder

        for thorough in (self._options.thorough, not self._options.thorough):
            options = replace(self._options, model=row.name, thorough=thorough)
            embedder = open_embedder(options, clock=self._clock, random=self._random)
            if embedder.version == row.version:
                return embedder
        raise UsageError(
            f"the pictures were embedded by another version of {row.name}",
            hint="Run bulkup embed: it embeds them again.",
        )


def _described(picture: PictureRow | None) -> Described | None:
    """The texts that a query's words are matched with. Of the root only its name: its path would
    match for every picture."""
    from bulkup.search.literal_match import Described

    if picture is None:
        return None
    paths = "\n".join(map(_below, picture.files))
    return Described(paths, picture.camera, picture.lens, picture.taken_at, picture.words)


def _below(file: tuple[str, str]) -> str:
    root, path = file
    return f"{root.rpartition('/')[2]}/{path}"


def _with_matching_file_first(result: SearchResult, terms: Sequence[Term]) -> SearchResult:
    """The same hits. Of several files with the content, the one that matches most of `terms` comes
    first: it shows why the picture was found."""
    from bulkup.search.literal_match import Described, matches

    def sorted_files(hit: SearchHit) -> SearchHit:
        files = hit.picture.files
        if len(files) == 1:
            return hit
        matched = matches(terms, (Described(_below(file)) for file in files)).tolist()
        order = sorted(range(len(files)), key=lambda at: -matched[at])
        return hit._replace(picture=hit.picture._replace(files=tuple(files[at] for at in order)))

    return SearchResult(tuple(map(sorted_files, result.hits)), result.notes)
