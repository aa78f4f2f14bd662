"""What searches read of a manifest, kept for the next search as long as it is the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bulkup.content.picture.facts.moments import moment_of
from bulkup.manifest.reports.search import PictureRow, Searchable

if TYPE_CHECKING:
    from datetime import datetime

    from bulkup.search.filter_columns import FilterColumns
    from bulkup.search.filters import Filters
    from bulkup.search.literal_match import Described
    from bulkup.search.matrix import Matrix
    from bulkup.search.matrix_file import Stamp
    from bulkup.search.texts import Texts

MOST_KEPT = 200_000
"""Pictures, some 300 MB. More are read again for each search."""

MOST_MATRICES = 2
"""A session opens the vectors and the words of one embedder."""


class OpenMatrix(Protocol):
    """`open_matrix` for the rows of one embedder."""

    def __call__(self, path: str, /, *, stamp: Stamp) -> Matrix: ...


class MatrixPictures:
    """The rows of a matrix as pictures: None for one without a file, or one left out."""

    def __init__(
        self, rows: Sequence[PictureRow | None], whole: MatrixPictures | None = None
    ) -> None:
        """`whole` has the same pictures, more of them or with more files."""
        self.rows = rows
        self._whole = whole

    @cached_property
    def texts(self) -> Texts:
        """What words are matched with."""
        from bulkup.search.texts import Texts

        if self._whole is None:
            return Texts(None if row is None else described(row) for row in self.rows)
        both = enumerate(zip(self.rows, self._whole.rows, strict=True))
        with_other_files = {
            place: described(row)
            for place, (row, before) in both
            if row is not None and row is not before
        }
        return self._whole.texts.only([row is not None for row in self.rows], with_other_files)

    @cached_property
    def _moments(self) -> list[datetime | None]:
        """When they were taken by their camera's clock, perhaps known to a year or a month only."""
        moments = (None if row is None else moment_of(row.taken_at) for row in self.rows)
        return [None if moment is None else moment.local for moment in moments]

    @cached_property
    def _columns(self) -> FilterColumns:
        from bulkup.search.filter_columns import FilterColumns

        return FilterColumns(
            self._moments,
            [None if row is None else row.camera for row in self.rows],
            [None if row is None else place_degrees(row) for row in self.rows],
        )

    def filtered(self, filters: Filters) -> MatrixPictures:
        """Those that pass, each with the files that do."""
        from bulkup.search.filter_columns import BY_FILE, IN

        rows: list[PictureRow | None] = []
        decided = self._columns.decide(filters)
        for row, moment, how in zip(self.rows, self._moments, decided, strict=True):
            if row is not None and how == BY_FILE:
                rows.append(with_allowed_files(row, moment, filters))
            else:
                rows.append(row if how == IN else None)
        return MatrixPictures(rows, self)


class KeptPictures:
    """For one reader, and one thread. Empty at first."""

    def __init__(self) -> None:
        self._matrices: dict[tuple[str, Stamp], Matrix] = {}
        self._kept: _Kept | None = None

    def matrix(self, path: str, stamp: Stamp, opened: OpenMatrix) -> Matrix:
        """The matrix of the file and stamp; `opened` where it was another the last time."""
        found = self._matrices.get((path, stamp))
        if found is None:
            found = opened(path, stamp=stamp)
            if len(self._matrices) >= MOST_MATRICES or any(path == at for at, _ in self._matrices):
                self._matrices.clear()
            self._matrices[path, stamp] = found
        return found

    def pictures(
        self, searchable: Searchable, embedder_id: int, matrix: Matrix, filters: Filters
    ) -> MatrixPictures:
        """The pictures of the matrix's rows, of each pair the one that is shown."""
        version = _Version(searchable.data_version(), embedder_id, matrix)
        kept = self._kept
        if kept is None or kept.version != version:
            self._kept = None  # two at once would be twice the memory
            rows = {row.content_id: row for row in searchable.embedded(embedder_id)}
            whole = MatrixPictures(
                [rows.get(content_id) for content_id in matrix.contents.tolist()]
            )
            pairs = _places_of(searchable.pairs(), whole)
            kept = _Kept(version, whole, pairs, _of_pairs(whole, pairs))
            self._kept = kept if len(rows) <= MOST_KEPT else None
        return _of_pairs(kept.whole.filtered(filters), kept.pairs) if filters else kept.shown


class _Version(NamedTuple):
    data_version: int
    embedder_id: int
    matrix: Matrix


class _Kept(NamedTuple):
    version: _Version
    whole: MatrixPictures
    pairs: list[tuple[int, int]]  # places
    shown: MatrixPictures  # of each pair one


def _places_of(pairs: Sequence[tuple[str, str]], pictures: MatrixPictures) -> list[tuple[int, int]]:
    """The places of both, where both are there."""
    if not pairs:
        return []
    places: dict[str, int] = {
        row.digest: place for place, row in enumerate(pictures.rows) if row is not None
    }
    return [(places[one], places[two]) for one, two in pairs if one in places and two in places]


def _of_pairs(pictures: MatrixPictures, pairs: Sequence[tuple[int, int]]) -> MatrixPictures:
    """One picture, one hit: without the partners of what is shown."""
    rows = list(pictures.rows)
    for one, two in pairs:
        if pictures.rows[one] is not None:
            rows[two] = None
    return MatrixPictures(rows, pictures) if pairs else pictures


def with_allowed_files(
    picture: PictureRow, taken_at: datetime | None, filters: Filters
) -> PictureRow | None:
    """The picture with the files that pass; None where none does. `taken_at` is by the camera's
    clock."""
    files = tuple(
        [
            file
            for file in picture.files
            if filters.allow(f"{file[0].rstrip('/')}/{file[1]}", taken_at)
        ]
    )
    if not files:
        return None
    return picture if len(files) == len(picture.files) else picture._replace(files=files)


def place_degrees(picture: PictureRow) -> tuple[float, float] | None:
    """North and east; None where either is unknown."""
    if picture.latitude is None or picture.longitude is None:
        return None
    return picture.latitude, picture.longitude


def described(picture: PictureRow) -> Described:
    """The texts that a query's words are matched with. Of the root only its name: its path would
    match for every picture."""
    from bulkup.search.literal_match import Described

    paths = "\n".join(map(below, picture.files))
    return Described(paths, picture.camera, picture.lens, picture.taken_at, picture.words)


def below(file: tuple[str, str]) -> str:
    """A root and a path below it, as the root's name and the path."""
    root, path = file
    return f"{root.rpartition('/')[2]}/{path}"
