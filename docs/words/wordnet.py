"""WordNet 3.0 as make_words.py reads it. The files' format is that of the wndb(5) manual page."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ARTIFACT, LOCATION, OBJECT = 6, 15, 17
"""Lexicographer files (lexnames(5)): what people made, places, natural objects."""


@dataclass(frozen=True, slots=True)
class Synset:
    """A set of nouns or adjectives that mean the same."""

    offset: int  # in its data file; 'n' and this number, 8 digits, is an ImageNet wnid
    topic: int  # its lexicographer file
    names: tuple[str, ...]  # with spaces, as WordNet writes them: capitals only in proper nouns
    hypernyms: tuple[int, ...]  # offsets, the first is the main one
    is_instance: bool  # a person, a place: not a kind of thing
    gloss: str  # the definition, without its examples


@dataclass(frozen=True, slots=True)
class Entry:
    """A word in lower case, with the synsets it is in, the most usual sense first."""

    word: str
    offsets: tuple[int, ...]
    tagged_senses: int  # how many of them occur in the texts WordNet's authors annotated


class WordNet:
    """One part of speech ('noun', 'adj', 'verb') of the WordNet in `folder`."""

    def __init__(self, folder: Path, part: str) -> None:
        self.synsets = dict(_synsets(folder / f"data.{part}"))
        self.entries = {entry.word: entry for entry in _entries(folder / f"index.{part}")}
        self.exceptions = dict(_exceptions(folder / f"{part}.exc"))

    def sense(self, word: str) -> Synset | None:
        """The most usual sense of `word` that is no instance: 'whale' names a director, too."""
        entry = self.entries.get(word)
        if entry is None:
            return None
        kinds = (self.synsets[offset] for offset in entry.offsets)
        return next((synset for synset in kinds if not synset.is_instance), None)

    def ancestors(self, synset: Synset) -> list[Synset]:
        """Every hypernym of `synset`, the nearest first, each once."""
        found: dict[int, Synset] = {}
        level = list(synset.hypernyms)
        while level:
            new = [offset for offset in level if offset not in found]
            found.update((offset, self.synsets[offset]) for offset in new)
            level = [up for offset in new for up in self.synsets[offset].hypernyms]
        return list(found.values())

    @cached_property
    def written(self) -> dict[str, set[str]]:
        """Each word in lower case → how it is written ('easter' is a wind, and 'Easter')."""
        spellings: dict[str, set[str]] = defaultdict(set)
        for synset in self.synsets.values():
            for name in synset.names:
                spellings[name.lower()].add(name)
        return spellings


def _lines(path: Path) -> list[str]:
    """The file without its licence, whose lines are indented."""
    text = path.read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("  ")]


def _synsets(path: Path) -> list[tuple[int, Synset]]:
    found = []
    for line in _lines(path):
        data, _, gloss = line.partition("|")
        fields = data.split()
        offset, names_count = int(fields[0]), int(fields[3], 16)
        names = [_name(fields[4 + 2 * number]) for number in range(names_count)]
        start = 4 + 2 * names_count
        pointers = [
            fields[start + 1 + 4 * number : start + 5 + 4 * number]
            for number in range(int(fields[start]))
        ]
        hypernyms = tuple(int(to) for kind, to, _, _ in pointers if kind in ("@", "@i"))
        is_instance = any(kind == "@i" for kind, *_ in pointers)
        meaning = gloss.split(' "')[0].strip().rstrip(";: ")
        synset = Synset(offset, int(fields[1]), tuple(names), hypernyms, is_instance, meaning)
        found.append((offset, synset))
    return found


def _name(text: str) -> str:
    """'hot_dog' → 'hot dog'; adjectives lose their syntactic marker, 'galore(ip)'."""
    return text.split("(", maxsplit=1)[0].replace("_", " ")


def _entries(path: Path) -> list[Entry]:
    found = []
    for line in _lines(path):
        fields = line.split()
        synsets, pointers = int(fields[2]), int(fields[3])
        offsets = tuple(int(offset) for offset in fields[-synsets:])
        found.append(Entry(_name(fields[0]), offsets, int(fields[5 + pointers])))
    return found


def _exceptions(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Irregular forms: ('mice', ('mouse',))."""
    rows = (line.split() for line in path.read_text("utf-8").splitlines())
    return [(_name(form), tuple(_name(base) for base in bases)) for form, *bases in rows]
