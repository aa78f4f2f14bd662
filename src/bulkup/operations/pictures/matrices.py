"""The labels of an embedder, and its matrices beside the manifest."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from bulkup.errors import UsageError
from bulkup.manifest.embeddings import EmbedderRow
from bulkup.manifest.reader import Reader
from bulkup.operations.pictures.kept_pictures import KeptPictures
from bulkup.settings.stage_options import EmbedOptions

if TYPE_CHECKING:
    from bulkup.embed.two_towers.labels import ModelLabel
    from bulkup.search.label_vectors import ClassLabels
    from bulkup.search.matrix import Matrix

CLASSIFIER: Final = "efficientnet-lite0"
"""The built-in embedder whose classes are compared with words."""


def labels_of_embedder(row: EmbedderRow, options: EmbedOptions) -> ClassLabels | None:
    """The classes that are compared with words; None where the embedder encodes words itself.

    Raises UsageError and EmbedderUnusable for a model that is gone or has changed.
    """
    if row.name == CLASSIFIER:
        from bulkup.search.label_vectors import known_classes

        return known_classes()
    from bulkup.embed.open import EMBEDDERS, folder_of

    if row.name in EMBEDDERS:
        return None
    from bulkup.embed.two_towers.folder import labels_of, read_card

    folder = folder_of(replace(options, model=row.name))
    labels = labels_of(folder)
    if not labels:
        return None
    if read_card(folder).version != row.version:
        raise other_version(row)
    return _described(tuple(labels))


def other_version(row: EmbedderRow) -> UsageError:
    """The error for a model that is not the one which made the vectors."""
    return UsageError(
        f"the pictures were embedded by another version of {row.name}",
        hint="Run bulkup embed: it embeds them again.",
    )


@lru_cache(maxsize=2)  # for servers
def _described(labels: tuple[ModelLabel, ...]) -> ClassLabels:
    from bulkup.search.label_vectors import ClassLabels
    from bulkup.search.vocabulary import known_words

    return ClassLabels.described(labels, known_words())


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


def open_classes(
    reader: Reader, row: EmbedderRow, kept: KeptPictures, labels: ClassLabels
) -> Matrix:
    """What the classifier saw in all contents, ready to be compared with words."""
    from bulkup.search import text_scores
    from bulkup.search.matrix import (
        MatrixRow,
        from_classes,
        from_vectors_and_classes,
        open_matrix,
    )
    from bulkup.search.matrix_file import Stamp

    to_rows = partial(text_scores.picture_rows, labels=labels)
    if labels.has_feature_axes:
        made_of = reader.embeddings.vector_and_class_rows
        decode = from_vectors_and_classes(row.dimension, text_scores.KEPT, to_rows)
    else:
        made_of = reader.embeddings.class_rows
        decode = from_classes(text_scores.KEPT, to_rows)
    key = f"{row.token} {text_scores.rows_version(labels)}"
    return kept.matrix(
        f"{reader.path}.words-{row.id}",
        Stamp(key, row.generation, row.highest, row.rows),
        partial(
            open_matrix,
            dimension=text_scores.ROW,
            rows=lambda after: map(MatrixRow._make, made_of(row.id, after)),
            decode=decode,
        ),
    )
