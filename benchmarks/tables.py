"""Medians of runs, and their ratios, as a table for a terminal or for Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median

from benchmarks.measure import Measured

HEAD = ("", "wall s", "(min-max)", "ratio", "CPU s", "ratio", "peak MiB", "ratio", "sent")
OURS = "bulkup"


@dataclass(frozen=True, slots=True)
class Medians:
    """The middle of several runs of one command."""

    wall_seconds: float
    fastest_seconds: float
    slowest_seconds: float
    cpu_seconds: float
    peak_mib: float
    sent_share: float | None  # of the files' bytes; the most of all runs


def medians(runs: Sequence[Measured]) -> Medians:
    """The middle of each quantity; `runs` is not empty."""
    walls = [run.wall_seconds for run in runs]
    return Medians(
        median(walls),
        min(walls),
        max(walls),
        median(run.cpu_seconds for run in runs),
        median(run.peak_mib for run in runs),
        max((run.sent_share for run in runs if run.sent_share is not None), default=None),
    )


def reference(found: Mapping[str, Medians]) -> Medians | None:
    """the reference of ratios: the fastest command that is not bulkup, or None."""
    others = [row for name, row in found.items() if name != OURS]
    return min(others, key=lambda row: row.wall_seconds, default=None)


def rows(found: Mapping[str, Medians]) -> list[tuple[str, ...]]:
    """The cells, a row for each command, in the order of HEAD."""
    base = reference(found)

    def ratio(row: Medians, quantity: Callable[[Medians], float]) -> str:
        return f"{quantity(row) / quantity(base):.2f}" if base and quantity(base) else ""

    return [
        (
            name,
            f"{row.wall_seconds:.3f}",
            f"({row.fastest_seconds:.3f}-{row.slowest_seconds:.3f})",
            ratio(row, attrgetter("wall_seconds")),
            f"{row.cpu_seconds:.2f}",
            ratio(row, attrgetter("cpu_seconds")),
            f"{row.peak_mib:.0f}",
            ratio(row, attrgetter("peak_mib")),
            "" if row.sent_share is None else f"{row.sent_share:.3f}",
        )
        for name, row in found.items()
    ]


def plain(lines: Sequence[tuple[str, ...]]) -> str:
    """Columns for a terminal, numbers to the right."""
    table = [HEAD, *lines]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in table
    )


def markdown(lines: Sequence[tuple[str, ...]]) -> str:
    """The same as a Markdown table."""
    rule = ("---", *["---:"] * (len(HEAD) - 1))
    return "\n".join("| " + " | ".join(line) + " |" for line in (HEAD, rule, *lines))
