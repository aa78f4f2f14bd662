"""Search embedded pictures by words, by an example, or for near-duplicates."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from bulkup.clock import Clock
from bulkup.errors import UsageError
from bulkup.manifest.embeddings import EmbedderRow
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.search import PictureRow
from bulkup.operations.pictures.kept_pictures import KeptPictures, MatrixPictures, below
from bulkup.operations.pictures.matrices import (
    labels_of_embedder,
    open_classes,
    open_vectors,
    other_version,
)
from bulkup.settings.stage_options import EmbedOptions, ProcessOptions

if TYPE_CHECKING:
    from bulkup.embed.embedder import Embedder, Vector
    from bulkup.search.filters import Filters
    from bulkup.search.label_vectors import ClassLabels
    from bulkup.search.literal_match import Term
    from bulkup.search.matrix import Matrix
    from bulkup.search.text_scores import Hit

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
        kept: KeptPictures | None = None,
    ) -> None:
        """`kept` is of earlier sessions with this reader."""
        self._kept = kept or KeptPictures()
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
        labels = labels_of_embedder(row, self._options)
        if labels is not None:
            return self._by_classes(text, row, labels, limit, explain)
        from bulkup.operations.pictures.example import text_vector
        from bulkup.search.query import by_vector_and_terms
        from bulkup.search.text_scores import TextQuery

        vector = asyncio.run(text_vector(text, self._open_embedder(row)))
        query = TextQuery.of(text)
        matrix = self._matrix(row)
        pictures = self._pictures(row, matrix)
        hits = by_vector_and_terms(vector, query.terms, matrix, pictures.texts, limit)
        return _with_matching_file_first(self._result(pictures, hits), query.terms)

    def _by_classes(
        self, text: str, row: EmbedderRow, labels: ClassLabels, limit: int, explain: bool
    ) -> SearchResult:
        from bulkup.search.languages import known_languages
        from bulkup.search.query import by_words
        from bulkup.search.query import reasons as why
        from bulkup.search.scale import WEAK
        from bulkup.search.text_scores import TextQuery
        from bulkup.search.vocabulary import unknown_words

        query = TextQuery.of(text, known_languages, labels)
        matrix = open_classes(self._reader, row, self._kept, labels)
        pictures = self._pictures(row, matrix)
        texts = pictures.texts
        scored = by_words(query, matrix, texts, limit)
        if query.understood_as is not None:
            self._notes.append(f"{text!r} is understood as {query.understood_as!r}")
        if query.unknown and scored:
            self._notes.append(f"{unknown_words(query.unknown)}. Looked for in names only")
        if scored and scored[0].score < WEAK:
            self._notes.append("no close match: all of these are weak")
        reasons = why(query, matrix, texts, scored) if explain else [()] * len(scored)
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
        is_allowed = [picture is not None for picture in pictures.rows]
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
        is_allowed = [picture is not None for picture in pictures.rows]
        return self._result(pictures, by_vector(vector, matrix, is_allowed, limit))

    def duplicates(self, limit: int | None) -> SearchResult:
        """Groups of near-duplicates, the ones that waste most bytes first; the best picture of each
        group first."""
        from bulkup.search.duplicates import DuplicateCandidate, find_groups

        row = self._embedder_row()
        found = self._processed()
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

    def _pictures(self, row: EmbedderRow, matrix: Matrix) -> MatrixPictures:
        return self._kept.pictures(self._reader.searchable, row.id, matrix, self._filters)

    def _processed(self) -> dict[int, PictureRow]:
        """By content id, the processed pictures that pass the filters."""
        rows = list(self._reader.searchable.processed())
        found = MatrixPictures(rows).filtered(self._filters).rows if self._filters else rows
        return {picture.content_id: picture for picture in found if picture is not None}

    def _result(self, pictures: MatrixPictures, scored: Sequence[Hit]) -> SearchResult:
        found = ((pictures.rows[place], score) for place, score in scored)
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
        if other is None or not other.rows:
            return None
        if self._options.model != EmbedOptions().model:  # it was chosen
            raise UsageError(
                f"nothing is embedded by {self._options.model}",
                hint=f"Embed with it: bulkup embed --model {self._options.model}; "
                f"pictures are embedded by {other.name}.",
            )
        self._notes.append(f"nothing is embedded by {self._options.model}; {other.name} is used")
        return other

    def _matrix(self, row: EmbedderRow) -> Matrix:
        return open_vectors(self._reader, row, self._kept)

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
        raise UsageError(f"{path or repr(path)} is neither a file nor a path in the manifest")

    def _open_embedder(self, row: EmbedderRow) -> Embedder:
        """The embedder that made the vectors. Raises UsageError when its version is another now."""
        from bulkup.embed.open import open_embedder

        for thorough in (self._options.thorough, not self._options.thorough):
            options = replace(self._options, model=row.name, thorough=thorough)
            embedder = open_embedder(options, clock=self._clock, random=self._random)
            if embedder.version == row.version:
                return embedder
        raise other_version(row)


def _with_matching_file_first(result: SearchResult, terms: Sequence[Term]) -> SearchResult:
    """The same hits. Of several files with the content, the one that matches most of `terms` comes
    first: it shows why the picture was found."""
    from bulkup.search.literal_match import Described
    from bulkup.search.texts import matches

    def sorted_files(hit: SearchHit) -> SearchHit:
        files = hit.picture.files
        if len(files) == 1:
            return hit
        matched = matches(terms, (Described(below(file)) for file in files)).tolist()
        order = sorted(range(len(files)), key=lambda at: -matched[at])
        return hit._replace(picture=hit.picture._replace(files=tuple(files[at] for at in order)))

    return SearchResult(tuple(map(sorted_files, result.hits)), result.notes)
