"""Questions to hits: words, an example, or near-duplicates, over what is embedded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from bulkup.clock import Clock
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
    from bulkup.search.query import Scored

CLASSIFIER = "efficientnet-lite0"
"""The embedder whose classes meet words; others have an encoder of their own for them."""


class Found(NamedTuple):
    """A picture and how close it comes; more is closer. `group` numbers near-duplicates from 1."""

    picture: PictureRow
    score: float
    group: int | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, the best first, and what should be said beside them."""

    hits: tuple[Found, ...]
    notes: tuple[str, ...] = ()


NOTHING = SearchResult((), ("nothing is searchable yet; bulkup embed makes it so",))


class _Shown(NamedTuple):
    """A picture as filters look at it: one of its files."""

    path: str
    taken_at: datetime | None
    camera: str | None
    place_degrees: tuple[float, float] | None


class SearchSession:
    """Searches one manifest. `filters` hold for all questions."""

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

    def text(self, text: str, limit: int) -> SearchResult:
        """Pictures that `text` means or names. Raises WordsUnknown, EmbedderUnusable, ItemError."""
        row = self._embedder_row()
        if row is None:
            return NOTHING
        if row.name == CLASSIFIER:
            return self._by_words(row, text, limit)
        from bulkup.search.query import by_vector_and_terms
        from bulkup.search.text_scores import TextQuery

        vector = asyncio.run(self._text_vector(row, text))
        matrix = self._matrix(row)
        order = self._order(row, matrix)
        said = [_described(picture) for picture in order]
        query = TextQuery.of(text)
        hits = by_vector_and_terms(vector, query.terms, matrix, said, limit)
        return _naming(self._answer(order, hits), query.terms)

    def _by_words(self, row: EmbedderRow, text: str, limit: int) -> SearchResult:
        """By the classes that the default embedder saw, and what is literally said."""
        from bulkup.search.query import by_words
        from bulkup.search.text_scores import TextQuery, complaint

        query = TextQuery.of(text)
        words = self._words(row)
        order = self._order(row, words)
        hits = by_words(query, words, [_described(picture) for picture in order], limit)
        if query.unknown and hits:
            self._notes.append(f"{complaint(query)}. Looked for in names only")
        return _naming(self._answer(order, hits), query.terms)

    def like(self, path: str, limit: int) -> SearchResult:
        """Pictures like the one at `path`: a file, or an asset of the manifest. Raises UsageError
        when it is neither, or no picture."""
        row = self._embedder_row()
        if row is None:
            return NOTHING
        from bulkup.search.query import by_vector

        matrix = self._matrix(row)
        vector = self._vector_of(path, row, matrix)
        order = self._order(row, matrix)
        is_allowed = [picture is not None for picture in order]
        return self._answer(order, by_vector(vector, matrix, is_allowed, limit))

    def duplicates(self, limit: int | None) -> SearchResult:
        """Groups of near-duplicates, those with the most to spare first; the best of each first."""
        from bulkup.search.duplicates import RetryCandidate, find_groups

        row = self._embedder_row()
        found = self._allowed(self._reader.searchable.processed())
        groups = find_groups(
            [
                RetryCandidate(
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
        return SearchResult(
            tuple(
                Found(found[member.candidate.content_id], member.likeness, number)
                for number, group in enumerate(groups[:limit], 1)
                for member in group.members
            ),
            tuple(self._notes),
        )

    # What is embedded ---------------------------------------------------------------------

    def _embedder_row(self) -> EmbedderRow | None:
        """The embedder asked for, else the one that embedded last."""
        vectors = self._reader.embeddings
        row = vectors.newest(self._options.model)
        if row is not None and row.rows:
            most = vectors.most_rows()
            if row.rows < most:
                self._notes.append(
                    f"only {row.rows:,} of {most:,} pictures are embedded by {row.name} "
                    f"({row.version}) so far; bulkup embed does the rest"
                )
            return row
        other = vectors.newest()
        if other is not None and other.rows:
            self._notes.append(
                f"nothing is embedded by {self._options.model}; {other.name} is used"
            )
            return other
        return None

    def _order(self, row: EmbedderRow, matrix: Matrix) -> list[PictureRow | None]:
        """The matrix's rows as pictures; None for what no file has, or the filters leave out."""
        pictures = self._allowed(self._reader.searchable.embedded(row.id))
        return [pictures.get(content_id) for content_id in matrix.contents.tolist()]

    def _allowed(self, rows: Iterable[PictureRow]) -> dict[int, PictureRow]:
        """By content, what the filters let through: of several files those that they ask for."""
        if not self._filters:
            return {picture.content_id: picture for picture in rows}
        asked = ((picture, self._files(picture)) for picture in rows)
        return {
            picture.content_id: picture._replace(files=files) for picture, files in asked if files
        }

    def _files(self, picture: PictureRow) -> tuple[tuple[str, str], ...]:
        taken_at = None if picture.taken_at is None else datetime.fromisoformat(picture.taken_at)
        place = None
        if picture.latitude is not None and picture.longitude is not None:
            place = (picture.latitude, picture.longitude)
        return tuple(
            (root, path)
            for root, path in picture.files
            if self._filters.allow(
                _Shown(f"{root.rstrip('/')}/{path}", taken_at, picture.camera, place)
            )
        )

    def _answer(self, order: Sequence[PictureRow | None], scored: Sequence[Scored]) -> SearchResult:
        found = ((order[place], score) for place, score in scored)
        hits = tuple(Found(picture, score) for picture, score in found if picture is not None)
        if not hits:
            self._notes.append("no picture is what was asked for")
        return SearchResult(hits, tuple(self._notes))

    def _matrix(self, row: EmbedderRow) -> Matrix:
        from bulkup.search.matrix import Row, from_float16, open_matrix
        from bulkup.search.matrix_file import Stamp

        vectors = self._reader.embeddings
        return open_matrix(
            f"{self._reader.path}.vectors-{row.id}",
            stamp=Stamp(f"{row.token} vectors", row.generation, row.highest, row.rows),
            dimension=row.dimension,
            rows=lambda after: map(Row._make, vectors.rows(row.id, after)),
            decode=from_float16(row.dimension),
        )

    def _words(self, row: EmbedderRow) -> Matrix:
        from bulkup.search import text_scores as meaning
        from bulkup.search.matrix import Row, from_classes, open_matrix
        from bulkup.search.matrix_file import Stamp

        vectors, key = self._reader.embeddings, f"{row.token} {meaning.rows_version()}"
        return open_matrix(
            f"{self._reader.path}.words-{row.id}",
            stamp=Stamp(key, row.generation, row.highest, row.rows),
            dimension=meaning.ROW,
            rows=lambda after: map(Row._make, vectors.class_rows(row.id, after)),
            decode=from_classes(meaning.KEPT, meaning.picture_rows),
        )

    # What is asked ------------------------------------------------------------------------

    def _vector_of(self, path: str, row: EmbedderRow, matrix: Matrix) -> Vector:
        """The example's vector: as the manifest has it, or made now."""
        from bulkup.operations.search_example import digest_of, example_vector
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
            return asyncio.run(example_vector(path, self._opened(row), self._process))
        if content_id is not None:
            raise UsageError(f"{path} is in the manifest, but not embedded by {row.name}")
        raise UsageError(f"{path} is neither a file nor a path in the manifest")

    async def _text_vector(self, row: EmbedderRow, text: str) -> Vector:
        embedder = self._opened(row)
        encode: Callable[[str], object] | None = getattr(embedder, "embed_text", None)
        if encode is None:
            raise UsageError(f"{row.name} has no encoder for words; try --like FILE")
        try:
            vector: Vector = await encode(text)  # type: ignore[misc]  # of a TextEmbedder
        finally:
            await embedder.close()
        return vector

    def _opened(self, row: EmbedderRow) -> Embedder:
        """The embedder that made the vectors. Raises UsageError when it is another version now."""
        from dataclasses import replace

        from bulkup.run.stages.lazy_embedder import embedder_of

        for thorough in (self._options.thorough, not self._options.thorough):
            options = replace(self._options, model=row.name, thorough=thorough)
            embedder = embedder_of(options, self._clock, self._random)
            if embedder.version == row.version:
                return embedder
        raise UsageError(
            f"the pictures were embedded by another version of {row.name}",
            hint="Run bulkup embed: it embeds them again.",
        )


def _described(picture: PictureRow | None) -> Described | None:
    """What a query's words are looked for in. Of the root only its own name: everything lies
    below somebody's home."""
    from bulkup.search.literal_match import Described

    if picture is None:
        return None
    paths = "\n".join(map(_below, picture.files))
    return Described(paths, picture.camera, picture.lens, picture.taken_at, picture.words)


def _below(file: tuple[str, str]) -> str:
    root, path = file
    return f"{root.rpartition('/')[2]}/{path}"


def _naming(answer: SearchResult, terms: Sequence[Term]) -> SearchResult:
    """The same hits; of several files that have the content, the one that says most of `terms`
    stands first: it is why the picture was found."""
    from bulkup.search.literal_match import Described, matches

    def shown(hit: Found) -> Found:
        files = hit.picture.files
        if len(files) == 1:
            return hit
        said = matches(terms, (Described(_below(file)) for file in files)).tolist()
        order = sorted(range(len(files)), key=lambda at: -said[at])
        return hit._replace(picture=hit.picture._replace(files=tuple(files[at] for at in order)))

    return SearchResult(tuple(map(shown, answer.hits)), answer.notes)
