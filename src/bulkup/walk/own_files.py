"""Patterns that leave bulkup's own files out of a walk of everything: they change while it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

_escape = re.compile(r"([\\*?\[\]!# ])").sub


def own_patterns(roots: Sequence[str], files: Iterable[str]) -> tuple[str, ...]:
    """gitignore patterns, relative to a root, for those of the files that lie in one.

    A file stands also for what is made beside it: SQLite's `-wal` and `-shm`, copies, indexes.
    """
    inside = (relative for path in files for root in roots if (relative := _inside(path, root)))
    escaped = [_escape(r"\\\1", relative) for relative in dict.fromkeys(inside)]
    return tuple(f"/{one}{ending}" for one in escaped for ending in ("", "-*", ".*"))


def _inside(path: str, root: str) -> str | None:
    """The path relative to the root, if it lies in it."""
    real, outer = os.path.realpath(path), os.path.realpath(root).rstrip("/") + "/"
    return real[len(outer) :] if real.startswith(outer) else None
