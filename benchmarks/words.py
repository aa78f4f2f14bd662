"""How well words find pictures: hit@1, hit@3 and MRR over the labelled photos of a corpus.

    python -m benchmarks.words [--corpus ../shared/corpus] [--variant preview]

A corpus is a folder with labels.json: {"photos/a.jpg": ["cat", "animal"], ...}. Each query ranks
all labelled photos; hit@k: one that is right is among the first k; MRR: the mean of 1 / the place
of the first right one. Right is a photo that has one of the labels a query stands for, and all of
them for two words. The labels' own words come from labels.json, the others from words.json, which
was written before anything was measured. Labels are incomplete, so some misses are right. With 99
queries a 95 % interval is some ten points wide on either side.

With the extra `languages`, translations.json gives the labels' words in other languages, translated
before anything was measured.

Only meanings are measured: names of files and cameras play no part.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkup.content.picture.make_variants import make_variants
from bulkup.content.picture.spec import VARIANTS
from bulkup.content.picture.types import Picture
from bulkup.embed.efficientnet import EfficientNet
from bulkup.embed.embedder import Embedded
from bulkup.search.languages import known_languages
from bulkup.search.text_scores import TextQuery, picture_rows, row_scores

QUERIES = Path(__file__).with_name("words.json")
TRANSLATIONS = Path(__file__).with_name("translations.json")
LABELS = "labels' words"
ALL_OF = "two words"  # the set of queries whose labels must all be there

Rows = NDArray[np.float32]


class Quality(NamedTuple):
    """Of a set of queries; shares of 1."""

    queries: int
    hit_at_1: float
    hit_at_3: float
    mrr: float

    def __str__(self) -> str:
        percents = (100 * self.hit_at_1, 100 * self.hit_at_3, 100 * self.mrr)
        return "/".join(f"{percent:.1f}" for percent in percents)


@dataclass(frozen=True, slots=True)
class Photos:
    """The labelled photos of a corpus, and what the embedder saw in them, in the same order."""

    labels: tuple[frozenset[str], ...]
    rows: Rows  # as meaning.picture_rows


def measure(photos: Photos, queries: Mapping[str, Iterable[str]], *, all_of: bool) -> Quality:
    """Of `queries`, each with the labels it stands for; left out where no photo is right."""
    wanted: Callable[[Iterable[bool]], bool] = all if all_of else any
    places = []
    for text, meant in queries.items():
        right = [wanted(label in labels for label in meant) for labels in photos.labels]
        if any(right):
            scores = row_scores(TextQuery.of(text, known_languages), photos.rows)
            order = np.argsort(-scores, kind="stable")
            places.append(int(np.flatnonzero(np.array(right)[order])[0]) + 1)
    first = np.array(places)
    at_1, at_3 = (float((first <= k).mean()) for k in (1, 3))
    return Quality(len(places), at_1, at_3, float((1 / first).mean()))


def label_queries(photos: Photos) -> dict[str, list[str]]:
    """Each label as a query for itself."""
    return {label: [label] for label in sorted(frozenset().union(*photos.labels))}


def embedded(corpus: Path, variant: str, *, thorough: bool) -> Photos:
    """Every labelled photo of `corpus` through the real decoder and the real embedder."""
    labels: dict[str, list[str]] = json.loads((corpus / "labels.json").read_text("utf-8"))
    specs = [spec for spec in VARIANTS if spec.name == variant]
    bodies = []
    for path in labels:
        made = make_variants(corpus / path, specs, name=Path(path).name)
        assert isinstance(made, Picture)
        bodies.append(made.variants[0].body)
    found = asyncio.run(_embed(bodies, thorough=thorough))
    classes = [picture.classes for picture in found if picture.classes is not None]
    assert len(classes) == len(labels)
    numbers = np.array([seen.numbers for seen in classes], np.uint16)
    probabilities = np.array([seen.probabilities for seen in classes], np.float32)
    return Photos(tuple(map(frozenset, labels.values())), picture_rows(numbers, probabilities))


async def _embed(bodies: Sequence[bytes], *, thorough: bool) -> list[Embedded]:
    embedder = EfficientNet(thorough=thorough)
    try:
        found = await embedder.embed(bodies)
    finally:
        await embedder.close()
    return [one for one in found if isinstance(one, Embedded)]


def main() -> None:
    parser = argparse.ArgumentParser(description="How well words find pictures.")
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--variant", choices=[spec.name for spec in VARIANTS], default="preview")
    options = parser.parse_args()
    sets: dict[str, dict[str, list[str]]] = json.loads(QUERIES.read_text("utf-8"))
    modes = ("plain", "thorough")
    photos = [
        embedded(options.corpus, options.variant, thorough=mode == "thorough") for mode in modes
    ]
    print(f"hit@1/hit@3/MRR in %, {len(photos[0].labels)} photos, from their {options.variant}s")
    print(f"{'queries':<16}{'count':>6}" + "".join(f"{mode:>18}" for mode in modes))
    if known_languages() is not None:
        sets |= json.loads(TRANSLATIONS.read_text("utf-8"))
    for name, queries in {LABELS: label_queries(photos[0]), **sets}.items():
        found = [measure(each, queries, all_of=name == ALL_OF) for each in photos]
        print(f"{name:<16}{found[0].queries:>6}" + "".join(f"{quality!s:>18}" for quality in found))


if __name__ == "__main__":
    main()
