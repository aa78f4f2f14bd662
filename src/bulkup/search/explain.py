"""Why a picture is a hit, in sentences: by its names and dates, by what was seen, by a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bulkup.search.label_vectors import ClassLabels
from bulkup.search.literal_match import Date, Described, Term
from bulkup.search.text_scores import Floats, TextQuery, classes_of
from bulkup.search.texts import matches
from bulkup.search.vocabulary import DIMENSION, QueryPart, unit

_MOST_CLASSES: Final = 3
_LEAST_SHARE: Final = 0.01


def explained(query: TextQuery, row: Floats, picture: Described) -> tuple[str, ...]:
    """The evidence for the picture, the strongest first. `row` is one of text_scores.picture_rows,
    of shape (ROW,).

        'boat' is in the path
        shows 'boat': yawl 42 %, schooner 8 %
        'harbour' is often beside pier 12 %
        alike in meaning: yawl 42 %, pier 12 % (cosine 0.61)
    """
    sentences = [*_literal(query.terms, picture)]
    if query.direction is not None:
        sentences += [*_seen(query, row), *_alike(query, row)]
    return tuple(sentences)


def _literal(terms: tuple[Term, ...], picture: Described) -> Iterator[str]:
    fields = {
        "the path": Described(picture.path),
        "the camera's name": Described("", camera=picture.camera),
        "the lens's name": Described("", lens=picture.lens),
        "the title, description or keywords": Described("", words=picture.words),
        "the date": Described("", taken_at=picture.taken_at),
    }
    for term in terms:
        found = [name for name, one in fields.items() if matches((term,), (one,))[0]]
        if found:
            yield f"{_name(term)} is in {' and '.join(found)}"


def _name(term: Term) -> str:
    if isinstance(term, Date):
        numbers = ((term.year, 4), (term.month, 2), (term.day, 2))
        parts = ["*" if part is None else f"{part:0{width}}" for part, width in numbers]
        return "-".join(parts).removesuffix("-*").removesuffix("-*")
    return repr(term.forms[0])


def _seen(query: TextQuery, row: Floats) -> Iterator[str]:
    """By part of the query: the classes that it names, in whose definition it is, or beside which
    it usually stands."""
    classes = query.labels
    numbers, probabilities = classes_of(row)
    for part in query.parts:

        def seen_by(share_of: Callable[[str], NDArray[Any]], part: QueryPart = part) -> str:
            shares = [share_of(word)[numbers] for word in part.words]
            at = [place for place in range(len(numbers)) if any(one[place] for one in shares)]
            return _listed(classes, numbers, probabilities, at)

        if called := seen_by(classes.called):
            yield f"shows {part.typed!r}: {called}"
        elif mentioned := seen_by(classes.mentioned):  # a definition has its names, too
            yield f"{part.typed!r} is in the definition of {mentioned}"
        if beside := seen_by(classes.beside):
            yield f"{part.typed!r} is often beside {beside}"


def _alike(query: TextQuery, row: Floats) -> Iterator[str]:
    """The classes that turn the picture's vector to that of the words."""
    assert query.direction is not None
    numbers, probabilities = classes_of(row)
    labels = query.labels.labels[numbers]
    pull = np.sqrt(probabilities) * (labels @ query.direction)
    best = [int(at) for at in np.argsort(-pull, kind="stable") if pull[at] > 0]
    shown = _listed(query.labels, numbers, probabilities, best, by_share=False)
    cosine = float(unit(row[:DIMENSION]) @ query.direction)
    if shown and cosine > 0:
        yield f"alike in meaning: {shown} (cosine {cosine:.2f})"


def _listed(
    classes: ClassLabels,
    numbers: NDArray[np.uint16],
    probabilities: Floats,
    at: list[int],
    *,
    by_share: bool = True,
) -> str:
    """Names and probabilities of the classes at these places."""
    kept = [place for place in at if probabilities[place] >= _LEAST_SHARE]
    if by_share:
        kept.sort(key=lambda place: -float(probabilities[place]))
    return ", ".join(
        f"{classes.names(int(numbers[place]))[0]} {100 * probabilities[place]:.0f} %"
        for place in kept[:_MOST_CLASSES]
    )
