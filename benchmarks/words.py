"""How well words find pictures: hit@1, hit@3 and MRR over the labelled photos of some sets.

    python -m benchmarks.words [--corpus ../shared/corpus]... [--variant preview]

A set is a folder with labels.json: {"photos/a.jpg": ["cat", "animal"], ...}. Each query ranks all
labelled photos of its set; hit@k: one that is right is among the first k; MRR: the mean of 1 / the
place of the first right one. Right is a photo that has one of the labels a query stands for, and
all of them for two words. The labels' own words come from labels.json, the others from words.json,
which was written for the corpus before anything was measured. Labels are incomplete, so some misses
are right. The last lines have the labels' words of all sets with a 95 % interval (bootstrap).

package_photos.json labels 83 photos of packages: unpack mate-backgrounds 1.26.0-1, ukui-wallpapers
20.04.3-1.1, plasma-workspace-wallpapers 5.27.5-2, lomiri-wallpapers-16.04 and -20.04 20.04.0-2,
opencv-doc 4.6.0+dfsg-12 (Debian, `dpkg-deb -x PACKAGE FOLDER`), scikit-image 0.26.0, scikit-learn
1.9.1 and ultralytics 8.4.190 (wheels, `unzip WHEEL -d FOLDER/whl`), copy it to FOLDER/labels.json
and package_translations.json to FOLDER/translations.json, and say `--corpus FOLDER`.

translations.json gives the labels' words of a set in other languages, translated before they were
measured: by the table, and, where the extra `languages` is installed, by that. That of the corpus
is here, beside this module.

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
from bulkup.search.languages import Languages, known_languages
from bulkup.search.text_scores import TextQuery, picture_rows, row_scores

QUERIES = Path(__file__).with_name("words.json")
TRANSLATIONS = Path(__file__).with_name("translations.json")
LABELS = "labels' words"
ALL_OF = "two words"  # the set of queries whose labels must all be there

RESAMPLED = 2000

Rows = NDArray[np.float32]
Places = NDArray[np.int64]


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
    return quality(places(photos, queries, all_of=all_of))


def places(
    photos: Photos,
    queries: Mapping[str, Iterable[str]],
    *,
    all_of: bool = False,
    languages: Callable[[], Languages | None] = lambda: None,
) -> Places:
    """Of each query, the place of the first photo that is right, from 1."""
    wanted: Callable[[Iterable[bool]], bool] = all if all_of else any
    found = []
    for text, meant in queries.items():
        right = [wanted(label in labels for label in meant) for labels in photos.labels]
        if any(right):
            scores = row_scores(TextQuery.of(text, languages), photos.rows)
            order = np.argsort(-scores, kind="stable")
            found.append(int(np.flatnonzero(np.array(right)[order])[0]) + 1)
    return np.array(found)


def quality(first: Places) -> Quality:
    at_1, at_3 = (float((first <= k).mean()) for k in (1, 3))
    return Quality(len(first), at_1, at_3, float((1 / first).mean()))


def intervals(first: Places) -> str:
    """Of hit@1, hit@3 and MRR, 95 %, by bootstrap."""
    random = np.random.default_rng(0)
    drawn = [quality(random.choice(first, len(first))) for _ in range(RESAMPLED)]
    low, high = np.quantile(np.array([one[1:] for one in drawn]), (0.025, 0.975), axis=0) * 100
    return "  ".join(f"{a:.0f}-{b:.0f}" for a, b in zip(low, high, strict=True))


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
    vectors = np.stack([picture.vector for picture in found]).astype(np.float32)
    rows = picture_rows(numbers, probabilities, features=vectors)
    return Photos(tuple(map(frozenset, labels.values())), rows)


async def _embed(bodies: Sequence[bytes], *, thorough: bool) -> list[Embedded]:
    embedder = EfficientNet(thorough=thorough)
    try:
        found = await embedder.embed(bodies)
    finally:
        await embedder.close()
    return [one for one in found if isinstance(one, Embedded)]


def main() -> None:
    parser = argparse.ArgumentParser(description="How well words find pictures.")
    parser.add_argument("--corpus", type=Path, action="append")
    parser.add_argument("--variant", choices=[spec.name for spec in VARIANTS], default="preview")
    options = parser.parse_args()
    corpora: list[Path] = options.corpus or [Path("../shared/corpus")]
    found = [
        [embedded(each, options.variant, thorough=thorough) for thorough in (False, True)]
        for each in corpora
    ]
    print(f"hit@1/hit@3/MRR in %, from {options.variant}s{'plain':>21}{'thorough':>18}")
    for corpus, photos in zip(corpora, found, strict=True):
        print(f"{corpus.name}: {len(photos[0].labels)} photos")
        _print_row(LABELS, [places(each, label_queries(each)) for each in photos])
    for name, queries in json.loads(QUERIES.read_text("utf-8")).items():
        all_of = name == ALL_OF
        _print_row(name, [places(each, queries, all_of=all_of) for each in found[0]])
    for corpus, photos in zip(corpora, found, strict=True):
        said = corpus / TRANSLATIONS.name
        if said.exists() or corpus == corpora[0]:
            print(f"{corpus.name}, translated")
            _print_languages(said if said.exists() else TRANSLATIONS, photos)
    for mode, name in enumerate(("plain", "thorough")):
        ranks = [places(photos[mode], label_queries(photos[mode])) for photos in found]
        print(f"all labels' words, {name}: {quality(np.concatenate(ranks))}", end="  ")
        print(f"[{intervals(np.concatenate(ranks))}], mean of sets", end=" ")
        print(np.round(np.mean([quality(one)[1:] for one in ranks], axis=0) * 100, 1))


def _print_languages(said: Path, photos: Sequence[Photos]) -> None:
    for way, languages in (("table", lambda: None), ("extra", known_languages)):
        if way == "table" or known_languages() is not None:
            for name, queries in json.loads(said.read_text("utf-8")).items():
                ranks = [places(each, queries, languages=languages) for each in photos]
                _print_row(f"{name}, {way}", ranks)


def _print_row(name: str, ranks: Sequence[Places]) -> None:
    cells = "".join(f"{quality(each)!s:>18}" for each in ranks)
    print(f"  {name:<24}{len(ranks[0]):>6}{cells}")


if __name__ == "__main__":
    main()
