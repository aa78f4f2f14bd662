"""Rows as a table: plain lines in a pipe; on a terminal as wide as it is, and no word wrapped."""

from __future__ import annotations

import os
from shutil import get_terminal_size
from typing import TYPE_CHECKING, NamedTuple, TextIO

from bulkup.cli.output.text import escape, is_screen, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_GAP = 2
_LEAST_CUT = 24  # cells of a column that is cut; before that, others are dropped
_LAST_CUT = 10  # when nothing more can be dropped


class Column(NamedTuple):
    """A column of a table; numbers are aligned `right`.

    On a narrow terminal, cells of a column that may be `cut` lose their middle, and the columns
    with the highest `drop` are left out first; those with 0 never.
    """

    title: str
    right: bool = False
    cut: bool = False
    drop: int = 0


def plain_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of aligned columns, two spaces apart, titles first. Cells are escaped, not cut."""
    cells = _cells(columns, rows)
    return _lines(columns, cells, _widths(cells))


def fitted_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int) -> list[str]:
    """The same in at most `width` cells, as far as columns may be dropped and cut."""
    cells = _cells(columns, rows)
    widths = _widths(cells)
    kept = list(range(len(columns)))
    while True:
        over = sum(widths[at] + _GAP for at in kept) - _GAP - width
        cut = [at for at in kept if columns[at].cut]
        if over <= 0 or over <= sum(max(0, widths[at] - _LEAST_CUT) for at in cut):
            break
        droppable = [at for at in kept if columns[at].drop]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda at: columns[at].drop))
    while over > 0 and any(widths[at] > _LAST_CUT for at in cut):
        widest = max(cut, key=lambda at: widths[at])
        widths[widest] -= 1
        over -= 1
    shown = [[shorten(row[at], widths[at]) for at in kept] for row in cells]
    return _lines([columns[at] for at in kept], shown, [widths[at] for at in kept])


def print_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    out: TextIO,
    environ: Mapping[str, str],
) -> None:
    """Print a table that fits the terminal, or plain lines if there is none."""
    if not is_screen(out, environ):
        out.writelines(f"{printable(line, out)}\n" for line in plain_table(columns, rows))
        return
    titles, *lines = fitted_table(columns, rows, get_terminal_size().columns)
    out.write(f"{titles}\n" if environ.get("NO_COLOR") else f"\x1b[1m{titles}\x1b[0m\n")
    out.writelines(f"{line}\n" for line in lines)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` cells: its middle becomes an ellipsis, and more of its end is
    kept than of its start, since names end differently."""
    if cells_wide(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    head = (width - 1) // 3
    start, end = _fitting(text, head), _fitting(text[::-1], width - 1 - head)[::-1]
    return f"{start}…{end}"


def below_one_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all absolute paths share, and the paths relative to it; '' where that is
    the file system's root."""
    folders = {os.path.dirname(path) for path in paths}
    folder = os.path.commonpath(folders) if folders else ""
    if len(folder) < 2:
        return "", list(paths)
    return folder, [path[len(folder) + 1 :] for path in paths]


def cells_wide(text: str) -> int:
    """How many terminal cells the text takes (Unicode TR #11; marks take none)."""
    return len(text) if text.isascii() else sum(map(_cell_wide, text))


def _cell_wide(char: str) -> int:
    import unicodedata  # a large table, and most cells are ASCII

    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _fitting(text: str, width: int) -> str:
    """The longest start of the text that takes at most `width` cells."""
    taken = 0
    for at, char in enumerate(text):
        taken += _cell_wide(char)
        if taken > width:
            return text[:at]
    return text


def _cells(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[c.title for c in columns], *([escape(cell) for cell in row] for row in rows)]


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cells_wide, column)) for column in zip(*cells, strict=True)]


def _lines(
    columns: Sequence[Column], cells: Iterable[Sequence[str]], widths: Sequence[int]
) -> list[str]:
    between = " " * _GAP
    return [between.join(map(_padded, row, widths, columns)).rstrip() for row in cells]


def _padded(cell: str, width: int, column: Column) -> str:
    space = " " * (width - cells_wide(cell))
    return space + cell if column.right else cell + space
