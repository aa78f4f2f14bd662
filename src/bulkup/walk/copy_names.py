"""Names that say of themselves that the file is a copy: `IMG (1).jpg`, `IMG copy.jpg`, `Kopie von`.

Of equal files the first that is read becomes the object; those named so are to be read last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# As macOS, Windows, GNOME and browsers name them, in the languages of most users.
_WORDS: Final = "copy|copie|copia|cópia|kopie|kopi|kopia|kopya"
_COPY: Final = re.compile(rf"(?m)(?:^|[ _-])(?:{_WORDS})(?:[ _.-]|$)|\(\d{{1,3}}\)(?:\.|$)")
_PARTS: Final = ("(", "cop", "cóp", "kop")
"""One of them is in every such name; looking for them costs next to nothing."""


def has_copies(names: Iterable[str]) -> bool:
    """Whether one of the names is that of a copy."""
    text = "\n".join(names).lower()
    return any(part in text for part in _PARTS) and _COPY.search(text) is not None


def is_copy(name: str) -> bool:
    """Whether the name is that of a copy."""
    return _COPY.search(name.lower()) is not None
