"""The labels of a model that names what it sees: labels.json, a list in the order of its scores.

    [{"names": ["beach"], "kinds": ["shore", "place"], "context": ["sea", "sand", "umbrella"]}, …]

A plain string stands for a label with that name only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bulkup.errors import EmbedderUnusable

LABELS: Final = "labels.json"

_MOST_LABELS: Final = 0xFFFF  # the manifest keeps their numbers in 16 bits
_MOST_BYTES: Final = 64 << 20
_MOST_LETTERS: Final = 200


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """A label: names, the main one first; kinds, the nearest first; what usually stands beside."""

    names: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


def read_labels(folder: Path) -> list[ModelLabel]:
    """In the order of the model's scores. Raises EmbedderUnusable."""
    path = folder / LABELS
    try:
        with path.open("rb") as file:
            rows = json.loads(file.read(_MOST_BYTES))
        return _labels(rows)
    except OSError as error:
        raise EmbedderUnusable(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise EmbedderUnusable(f"{path} is no list of labels: {error}") from error


def _labels(rows: Any) -> list[ModelLabel]:
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_LABELS:
        raise ValueError(f"it is no list of 1 to {_MOST_LABELS:,} labels")
    return [_label(f"label {number}", row) for number, row in enumerate(rows)]


def _label(where: str, row: Any) -> ModelLabel:
    given = {"names": [row]} if isinstance(row, str) else row
    if not isinstance(given, dict):
        raise TypeError(f"{where} is neither a name nor an object")
    names, kinds, context = (
        _texts(given.get(key, []), f"{where}: {key}") for key in ("names", "kinds", "context")
    )
    if not names:
        raise ValueError(f"{where} has no name")
    return ModelLabel(names, kinds, context)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_is_name(text) for text in value):
        raise ValueError(f"{where} is no list of names of 1 to {_MOST_LETTERS} letters")
    return tuple(" ".join(text.replace("_", " ").split()) for text in value)


def _is_name(text: Any) -> bool:
    return isinstance(text, str) and bool(text.strip(" _")) and len(text) <= _MOST_LETTERS
