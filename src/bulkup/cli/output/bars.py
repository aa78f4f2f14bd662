"""Snapshots → bars of one grid, and the lines below them. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from bulkup.cli.output.goodput import eta_seconds, fraction, left_files
from bulkup.cli.output.table import cells_wide, shorten
from bulkup.cli.output.text import count, duration, escape, rate, size, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bulkup.cli.output.goodput import Speed
    from bulkup.model import Snapshot, StageCount

LABELS = {"upload": "Uploading", "process": "Processing", "embed": "Searchable", "pull": "Pulling"}
LABEL_WIDTH = 11
_LEAST_BAR, _MOST_BAR = 6, 40
_GAP = "  "

_PERCENT, _FILES, _BYTES, _RATE, _ETA = range(5)
_DROPPED_FIRST = (_BYTES, _RATE, _FILES, _ETA)
"""Columns that a narrow terminal leaves out, in this order."""


class Row(NamedTuple):
    """What one stage shows: its finished share, 0 while the total is not known, and its cells."""

    label: str
    share: float
    cells: tuple[str, ...]


class Bar(NamedTuple):
    """One line: a label, `filled` of `width` cells, and the numbers beside them."""

    label: str
    width: int
    filled: int
    words: str


def row_of(
    name: str, stage: StageCount, speed: Speed, *, walking: bool, paused: bool = False
) -> Row:
    """The cells of one stage; `walking`: its total still grows; `paused`: nothing moves."""
    left, share = left_files(stage), fraction(stage)
    files = f"{count(stage.done + stage.skipped)}/{count(stage.total)}" + "+" * walking
    if stage.total_bytes:  # only the upload's work is measured in bytes
        amount = size_of(stage.done_bytes, stage.total_bytes)
        moves = rate(speed.sent.bytes_per_second)
    else:
        amount = f"{count(stage.dead)} failed" if stage.dead else ""
        moves = _per_second(speed.done.files_per_second)
    eta = eta_seconds(stage, speed.done)
    ending = "" if eta is None else "done" if not left else f"ETA {duration(eta)}"
    is_done = not left and not walking
    if paused and left:
        moves = ending = ""
    percent = "…" if walking else f"{100 if is_done else math.floor(share * 100)} %"
    return Row(
        LABELS[name],
        0.0 if walking else share,
        (percent, files, amount, "" if is_done else moves, "" if walking else ending),
    )


def _per_second(files: float) -> str:
    return f"{files:.1f}/s" if files < 99.95 else f"{files:,.0f}/s"


def column_widths(rows: Sequence[Row], least: Sequence[int] = (5, 0, 0, 0, 9)) -> tuple[int, ...]:
    """How wide each column is, at least `least`: a width that only grows keeps the grid still."""
    columns = zip(*(row.cells for row in rows), strict=True)
    return tuple(max(one, *map(len, cells)) for one, cells in zip(least, columns, strict=True))


def bars_of(rows: Sequence[Row], widths: Sequence[int], width: int) -> list[Bar]:
    """The lines of all stages in at most `width` cells (at least 21), column below column."""
    shown = [column for column, wide in enumerate(widths) if wide]
    for dropped in _DROPPED_FIRST:
        if _words_width(shown, widths) + LABEL_WIDTH + _LEAST_BAR <= width:
            break
        shown = [column for column in shown if column != dropped]
    wide = min(max(width - LABEL_WIDTH - _words_width(shown, widths), 0), _MOST_BAR)
    bars = []
    for row in rows:
        words = _GAP.join(
            row.cells[column].ljust(widths[column])
            if column == _ETA
            else row.cells[column].rjust(widths[column])
            for column in shown
        )
        bars.append(Bar(row.label, wide, round(row.share * wide), words.rstrip()))
    return bars


def _words_width(shown: Sequence[int], widths: Sequence[int]) -> int:
    return sum(widths[column] + len(_GAP) for column in shown)


# Below the bars ----------------------------------------------------------------------------------


def traffic(snapshot: Snapshot, width: int) -> str:
    """Whether the run stops or why it is paused, or its time, destination, requests and errors."""
    if snapshot.is_stopping:
        held = count(snapshot.in_flight, "request") if snapshot.in_flight else "work in progress"
        return f"stopping: {held} to finish; Ctrl-C again to leave at once"
    if snapshot.paused:
        return f"paused: {escape(snapshot.paused)}"
    pieces = [(0, duration(snapshot.elapsed_seconds))]
    if snapshot.walking:
        pieces.append((0, f"{count(snapshot.walked_files)} found"))
    if snapshot.workers:
        at_work = f"{count(snapshot.workers, 'worker')}, {count(snapshot.tasks_out, 'task')} out"
        pieces.append((1, at_work))
    elif snapshot.window:
        pieces.append((2, f"{snapshot.in_flight} of {count(snapshot.window, 'connection')}"))
    if snapshot.throttled:
        pieces.append((1, f"{count(snapshot.throttled)} throttled"))
    if snapshot.errors:
        pieces.append((0, f"{count(snapshot.errors, 'error')}"))
    space = width - LABEL_WIDTH
    used = len(_fitted(pieces, space, " · "))
    room = space - used - len(" · to ")
    if snapshot.destination and room > _LEAST_BAR:
        whole = escape(snapshot.destination)
        url, _, _endpoint = whole.partition(" at ")
        to = whole if cells_wide(whole) <= room else shorten(url, room)
        pieces.insert(1, (3, f"to {to}"))
    return _fitted(pieces, space, " · ")


def details(snapshot: Snapshot, slow: Sequence[tuple[str, int]], width: int) -> list[str]:
    """A line for each of the files that take long (path and bytes), and one for the last error."""
    lines = []
    for path, size_bytes in slow:
        amount = f" ({size(size_bytes)})"
        lines.append(shorten(escape(path), width - LABEL_WIDTH - len(amount)) + amount)
    if snapshot.last_error:
        said, space = f"last error: {escape(snapshot.last_error)}", width - LABEL_WIDTH
        lines.append(said if len(said) <= space else f"{said[: space - 1]}…")
    return lines


def _fitted(pieces: Sequence[tuple[int, str]], width: int, between: str) -> str:
    """The pieces that fit, in their order; those with the highest number are dropped first."""
    kept = list(pieces)
    while len(kept) > 1 and len(between.join(text for _, text in kept)) > width:
        kept.remove(max(kept, key=lambda piece: piece[0]))
    return between.join(text for _, text in kept)


def stats_line(snapshot: Snapshot, speeds: Mapping[str, Speed], at: str) -> str:
    """Where the run stands, in one line for a log: `08:41  upload 21 % …`."""
    parts = []
    for name, stage in snapshot.stages.items():
        is_paused = snapshot.paused is not None
        row = row_of(name, stage, speeds[name], walking=snapshot.walking, paused=is_paused)
        said = " ".join(cell for cell in row.cells if cell and cell != "…")
        parts.append(f"{name} {said}")
    if snapshot.walking:
        parts.append(f"{count(snapshot.walked_files)} found")
    if snapshot.paused:
        parts.append(f"paused: {escape(snapshot.paused)}")
    parts.append(count(snapshot.errors, "error"))
    return f"{at}  " + " · ".join(parts)
