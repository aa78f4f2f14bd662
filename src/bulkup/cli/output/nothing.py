"""Why a report has nothing to show, in a sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bulkup.cli.output.text import count, escape

if TYPE_CHECKING:
    from bulkup.manifest.reader import Reader


def nothing_pushed(reader: Reader) -> str:
    """For a manifest that is not there, or knows no file."""
    where = escape(reader.path)
    state = where if os.path.exists(reader.path) else f"no manifest at {where}"
    return f"Nothing has been pushed yet ({state}).\nStart: bulkup push DIR --to s3://bucket/prefix"


def nothing_matches(reader: Reader, pattern: str | None) -> str:
    """For a pattern that matches no file."""
    files = reader.reports.status().assets
    if not files:
        return nothing_pushed(reader)
    roots = ", ".join(map(escape, reader.reports.roots()[:3]))
    wanted = "" if pattern is None else f" {escape(pattern)}"
    return f"No file matches{wanted}: {count(files, 'file')} known, in {roots}."
