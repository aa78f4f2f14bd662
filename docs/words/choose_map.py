"""Chooses how the embedder's vectors count in searches by words, without any labelled photo.

    python docs/words/choose_map.py --data src/bulkup/search/data

Needs bulkup, what make_words.py needs, what it made, and a minute. It prints the grid below, the
best first: EVEN and RIDGE_OF_FEATURES of make_words.py, and how much the map of a picture's vector
counts beside the mean of its classes (text_scores.picture_vectors adds them, so 1).

Photos are simulated by the classifier's last layer. The weights of a class are what a photo of it
looks like; a photo shows two things, of two classes, and as much noise as makes the classifier
right for ACCURACY of photos of one thing, and it is as sure as it is right. One of the two is no
class: it is held out, with all that are of the same nearest kind, from the map and from the classes
that a photo may have. Three things are asked of the photos, and the geometric mean of the answers
decides:

    unknown   MRR of the name of the class that is held out
    known     MRR of the name of the other
    kinds     average precision of WordNet's kinds with 4 to 400 classes
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from make_words import EVEN
from numpy.typing import NDArray

from bulkup.embed.weights import installed_weights
from bulkup.search.label_vectors import ClassLabels
from bulkup.search.text_scores import BACKGROUND, BESIDE, KEPT, LEXICAL
from bulkup.search.vocabulary import Words, unit

ACCURACY = 0.751  # of EfficientNet-lite0, as published with its weights
FOLDS = 10
DRAWS = 3  # of the noise
FEWEST, MOST = 4, 400  # classes of a kind
EVENS = (0.0, 0.15, 0.3)
RIDGES = (1.0, 3.0, 10.0)
WEIGHTS = (0.0, 0.5, 0.7, 1.0, 1.4, 2.0)

Floats = NDArray[np.float32]
Numbers = NDArray[np.intp]


class Asked(NamedTuple):
    """Queries: their directions, and how far each class is what they say, and stands beside."""

    directions: Floats
    named: Floats
    beside: Floats


@dataclass(frozen=True)
class Space:
    """What make_words.py made, its axes as long as they were."""

    labels: Floats
    lengths: Floats
    names: Asked
    kinds: Asked
    contexts: Asked
    is_kind: NDArray[np.bool_]  # (kinds, classes)
    groups: Numbers  # of each class, the number of its nearest kind
    weights: Floats  # of the classifier's last layer, from their mean

    @classmethod
    def read(cls, data: Path) -> Space:
        classes, words = ClassLabels.read(data), Words(data)
        lengths = np.linalg.norm(classes.labels, axis=0) ** (1 / (1 - EVEN))

        def asked(texts: list[str]) -> Asked:
            directions = np.stack([words.vector(text) for text in texts]) * lengths**EVEN
            shares = (
                np.stack([of(text) for text in texts]) for of in (classes.named, classes.beside)
            )
            return Asked(directions.astype(np.float32), *shares)

        count = range(len(classes))
        nearest = [(classes.kinds(number) or ("",))[0] for number in count]
        all_kinds = sorted({kind.lower() for number in count for kind in classes.kinds(number)})
        is_kind = {kind: classes.called(kind) for kind in all_kinds if kind in words}
        kinds = [kind for kind, of in is_kind.items() if FEWEST <= of.sum() <= MOST]
        weights = installed_weights()["_fc.weight"]
        return cls(
            classes.labels * lengths**EVEN,
            lengths.astype(np.float32),
            asked([classes.names(number)[0].lower() for number in count]),
            asked(kinds),
            asked(sorted(classes.context_words())),
            np.stack([is_kind[kind] for kind in kinds]),
            np.array([sorted(set(nearest)).index(kind) for kind in nearest]),
            weights - weights.mean(axis=0),
        )


class Fold(NamedTuple):
    """Classes that are held out, and the map that is fitted without them but for its ridge."""

    out: Numbers
    kept: Numbers
    squares: Floats  # of the main axes of the kept weights
    axes: Floats  # (kept, axes)
    products: Floats  # of the photos with the kept weights, along these axes


@dataclass(frozen=True)
class Photos:
    """Number n shows class n, held out, and class others[n]; see the module."""

    others: Numbers
    numbers: Numbers  # (classes, KEPT)
    probabilities: Floats
    folds: list[Fold]


def halved(low: float, high: float, is_more: Callable[[float], bool]) -> float:
    """Where `is_more` of a number between these turns from true to false."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if is_more(middle) else (low, middle)
    return low


def softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def partners(fold: Numbers, random: np.random.Generator) -> Numbers:
    """Of each class, one of another fold; each is the partner of one."""
    order = np.argsort(fold, kind="stable")
    shuffled = order[np.lexsort((random.random(len(fold)), fold[order]))]
    found = np.empty_like(fold)
    found[shuffled] = np.roll(shuffled, np.bincount(fold).max())
    assert (fold[found] != fold).all()
    return found


def noise_of(things: Floats, noise: Floats, weights: Floats) -> tuple[float, float]:
    """How much of `noise` makes the classifier right for ACCURACY of the photos of one thing, and
    the factor of its answers that makes it as sure."""
    pure, noisy = things @ weights.T, noise @ weights.T
    together = (things * noise).sum(axis=1, keepdims=True)

    def answers(much: float) -> Floats:
        lengths = np.sqrt(1 + 2 * much * together + much * much)
        found: Floats = (pure + much * noisy) / lengths
        return found

    def is_right(much: float) -> bool:
        right = answers(much).argmax(axis=1) == np.arange(len(things))
        return bool(right.mean() > ACCURACY)

    much = halved(0, 100, is_right)
    alone = answers(much)
    sure = halved(0, 1000, lambda at: bool(softmax(alone * at).max(axis=1).mean() < ACCURACY))
    return much, sure


def photos(space: Space, draw: int) -> Photos:
    random = np.random.default_rng(draw)
    count = len(space.weights)
    fold = (random.permutation(space.groups.max() + 1) % FOLDS)[space.groups]
    others = partners(fold, random)
    things = unit(space.weights)
    noise = unit(random.standard_normal(things.shape).astype(np.float32))
    much, sure = noise_of(things, noise, space.weights)
    seen = unit(unit(things + things[others]) + np.float32(much) * noise)
    numbers = np.zeros((count, KEPT), np.intp)
    probabilities = np.zeros((count, KEPT), np.float32)
    folds = []
    for part in range(FOLDS):
        out, kept = np.flatnonzero(fold == part), np.flatnonzero(fold != part)
        rows = space.weights[kept] - space.weights[kept].mean(axis=0)
        products = seen[out] @ rows.T
        shares = softmax(products * np.float32(sure))
        best = np.argsort(-shares, axis=1, kind="stable")[:, :KEPT]
        numbers[out], probabilities[out] = kept[best], np.take_along_axis(shares, best, axis=1)
        squares, axes = np.linalg.eigh(rows @ rows.T)
        folds.append(Fold(out, kept, squares, axes, products @ axes))
    return Photos(others, numbers, probabilities, folds)


def mapped(found: Photos, targets: Floats, ridge: float) -> Floats:
    """What the map makes of each photo, (classes, DIMENSION), of length 1."""
    result = np.zeros_like(targets)
    for out, kept, squares, axes, products in found.folds:
        shrunk = products / (squares + np.float32(ridge) * squares.mean())
        result[out] = unit(shrunk @ (axes.T @ targets[kept]))
    return result


def by_classes(found: Photos, asked: Asked) -> Floats:
    """(queries, photos): what bulkup.search.text_scores adds to the cosine."""
    weights = np.sqrt(found.probabilities)
    weights /= weights.sum(axis=1, keepdims=True)
    total = np.zeros((len(asked.named), len(weights)), np.float32)
    for rank in range(KEPT):
        numbers = found.numbers[:, rank]
        total += np.float32(LEXICAL) * asked.named[:, numbers] * found.probabilities[:, rank]
        total += np.float32(BESIDE) * asked.beside[:, numbers] * weights[:, rank]
    return total


def mrr(scores: Floats, right: Numbers, also: Numbers) -> float:
    """`right` is the place of the photo that is meant by each query; `also`, that of one that is
    right, too, is left out."""
    rows = np.arange(len(scores))
    wanted = scores[rows, right][:, None]
    better = (scores > wanted).sum(axis=1) - (scores[rows, also] > wanted[:, 0])
    return float(np.mean(1 / (1 + better)))


def precision(scores: Floats, right: NDArray[np.bool_]) -> float:
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(right, order, axis=1)
    shares = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return float(np.mean((shares * hits).sum(axis=1) / hits.sum(axis=1)))


def answers(space: Space, draw: int) -> Iterator[tuple[tuple[float, float, float], Floats]]:
    """For each even, ridge and weight: unknown, known, kinds."""
    found = photos(space, draw)
    rows = np.arange(len(found.others))
    shown_by = np.argsort(found.others)  # the photo that shows a class as the other
    is_kind = space.is_kind | space.is_kind[:, found.others]
    asked = (space.names, space.kinds, space.contexts)
    added = [by_classes(found, queries) for queries in asked]
    for even in EVENS:
        axes = space.lengths**-even
        labels = space.labels * axes
        weighted = np.sqrt(found.probabilities)[:, :, None] * labels[found.numbers]
        seen = unit(weighted.sum(axis=1))
        directions = [unit(queries.directions * axes) for queries in asked]
        for ridge in RIDGES:
            by_map = mapped(found, unit(labels), ridge)
            for weight in WEIGHTS:
                vectors = unit(seen + np.float32(weight) * by_map)
                names, kinds, contexts = (
                    one @ vectors.T + more for one, more in zip(directions, added, strict=True)
                )
                background = BACKGROUND * contexts.mean(axis=0)
                names, kinds = names - background, kinds - background
                unknown, known = mrr(names, rows, shown_by), mrr(names, shown_by, rows)
                yield (even, ridge, weight), np.array([unknown, known, precision(kinds, is_kind)])


def main() -> None:
    parser = argparse.ArgumentParser(description="Chooses the map's parameters.")
    parser.add_argument("--data", type=Path, required=True)
    space = Space.read(parser.parse_args().data)
    found: dict[tuple[float, float, float], list[Floats]] = {}
    for draw in range(DRAWS):
        for at, answer in answers(space, draw):
            found.setdefault(at, []).append(answer)
    means = {at: np.mean(each, axis=0) for at, each in found.items()}
    lines = ["even ridge weight   unknown   known   kinds   geometric mean, in %"]
    for at in sorted(means, key=lambda at: -float(np.prod(means[at]))):
        cells = (*means[at], np.prod(means[at]) ** (1 / 3))
        lines.append("\t".join((*map(str, at), *(f"{100 * cell:.2f}" for cell in cells))))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
