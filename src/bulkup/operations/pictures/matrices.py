"""The matrices of an embedder, beside the manifest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bulkup.manifest.embeddings import EmbedderRow
from bulkup.manifest.reader import Reader
from bulkup.operations.pictures.kept_pictures import KeptPictures

if TYPE_CHECKING:
    from bulkup.search.matrix import Matrix


def open_vectors(reader: Reader, row: EmbedderRow, kept: KeptPictures) -> Matrix:
    """The vectors of all contents."""
    from bulkup.search.matrix import MatrixRow, from_float16, open_matrix
    from bulkup.search.matrix_file import Stamp

    return kept.matrix(
        f"{reader.path}.vectors-{row.id}",
        Stamp(f"{row.token} vectors", row.generation, row.highest, row.rows),
        partial(
            open_matrix,
            dimension=row.dimension,
            rows=lambda after: map(MatrixRow._make, reader.embeddings.rows(row.id, after)),
            decode=from_float16(row.dimension),
        ),
    )


def open_classes(reader: Reader, row: EmbedderRow, kept: KeptPictures) -> Matrix:
    """What the classifier saw in all contents, ready to be compared with words."""
    from bulkup.search import text_scores
    from bulkup.search.matrix import MatrixRow, from_classes, open_matrix
    from bulkup.search.matrix_file import Stamp

    key = f"{row.token} {text_scores.rows_version()}"
    return kept.matrix(
        f"{reader.path}.words-{row.id}",
        Stamp(key, row.generation, row.highest, row.rows),
        partial(
            open_matrix,
            dimension=text_scores.ROW,
            rows=lambda after: map(MatrixRow._make, reader.embeddings.class_rows(row.id, after)),
            decode=from_classes(text_scores.KEPT, text_scores.picture_rows),
        ),
    )
