"""Rows as JSON or CSV, written as they come: they may be a million."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bulkup.cli.render import escape


def print_json(rows: Iterable[Mapping[str, object]]) -> int:
    """A JSON array on standard output, a row a line; returns how many rows there were.

    Bytes of names that are no UTF-8 appear as `\\udcXX`, which Python reads back.
    """
    count = 0
    for row in rows:
        sys.stdout.write(("[" if count == 0 else ",\n ") + json.dumps(row))
        count += 1
    sys.stdout.write("]\n" if count else "[]\n")
    return count


def print_csv(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> int:
    """A header line and the rows on standard output, texts escaped as for a terminal."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(escape(cell) if isinstance(cell, str) else cell for cell in row)
        count += 1
    return count
