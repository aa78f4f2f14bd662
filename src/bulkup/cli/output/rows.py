"""Rows as JSON or CSV, written one by one: there may be a million."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bulkup.cli.output.text import escape


def print_json(rows: Iterable[Mapping[str, object]]) -> int:
    """Print a JSON array, one row per line; return the number of rows.

    Bytes of names that are not UTF-8 appear as `\\udcXX`, which Python reads back.
    """
    array = JsonRows()
    for row in rows:
        array.add(row)
    array.end()
    return array.count


class JsonRows:
    """Prints a JSON array row by row."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, row: Mapping[str, object]) -> None:
        """Write one row."""
        sys.stdout.write(("[" if self.count == 0 else ",\n ") + json.dumps(row))
        self.count += 1

    def end(self) -> None:
        """Close the array."""
        sys.stdout.write("]\n" if self.count else "[]\n")


def print_csv(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> int:
    """Print a header line and the rows, escaped as for a terminal; return the number of rows."""
    table = CsvRows(columns)
    for row in rows:
        table.add(row)
    return table.count


class CsvRows:
    """Prints CSV row by row."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.count = 0
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(columns)

    def add(self, row: Sequence[object]) -> None:
        """Write one row."""
        self._writer.writerow(escape(cell) if isinstance(cell, str) else cell for cell in row)
        self.count += 1

    def end(self) -> None:
        """Do nothing; for the interface of JsonRows."""
