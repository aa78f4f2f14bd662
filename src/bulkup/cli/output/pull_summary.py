"""The summary at the end of a pull, as text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.cli.output.text import count, duration, escape, rate, size

if TYPE_CHECKING:
    from bulkup.run.pull.events import PullSummary


def pull_summary_lines(summary: PullSummary) -> list[str]:
    """The summary for a terminal."""
    if _nothing_to_do(summary):
        return [_nothing_line(summary)]
    rows = [(label, number, note) for label, number, note in _counts(summary) if number]
    label_width = max((len(label) for label, _, _ in rows), default=0)
    number_width = max((len(count(number)) for _, number, _ in rows), default=0)
    lines = [_headline(summary)]
    for label, number, note in rows:
        line = f"  {label:<{label_width}}  {count(number):>{number_width}}  {note}"
        lines.append(line.rstrip())
    return [*lines, *(f"Next: {hint}" for hint in _hints(summary))]


def pull_summary_line(summary: PullSummary) -> str:
    """The same in one line, for logs and pipes."""
    if _nothing_to_do(summary):
        return _nothing_line(summary)
    counts = [
        f"{count(number)} {label}" + (f" ({note})" if note else "")
        for label, number, note in _counts(summary)
        if number
    ]
    parts = [_headline(summary) + (f": {', '.join(counts)}" if counts else "")]
    return "; ".join(parts + [f"next: {hint}" for hint in _hints(summary)])


def _nothing_to_do(summary: PullSummary) -> bool:
    if summary.dry_run and summary.files:
        return False
    return summary.files == summary.present and not summary.exit_code


def _nothing_line(summary: PullSummary) -> str:
    if not summary.files:
        return "Nothing to pull: no file in the manifest matches"
    return f"Nothing to pull: {count(summary.files, 'file')}, all in {escape(summary.destination)}"


def _headline(summary: PullSummary) -> str:
    where, took = escape(summary.destination), duration(summary.seconds)
    if summary.dry_run:
        return f"Dry run into {where}: nothing was fetched or written"
    if summary.interrupted:
        return f"Interrupted after {took}, into {where}"
    if summary.exit_code or summary.remaining:
        return f"Partly done after {took}, into {where}"
    return f"Done in {took}, into {where}"


def _counts(summary: PullSummary) -> list[tuple[str, int, str]]:
    """(label, number, note)."""
    fetched = size(summary.fetched_bytes)
    if not summary.dry_run and summary.seconds > 0:
        fetched += f" at {rate(summary.fetched_bytes / summary.seconds)}"
    asked = f"{count(summary.requested)} asked for now" if summary.requested else ""
    failed = ", ".join(
        f"{escape(name)} {count(number)}" for name, number in sorted(summary.failures.items())
    )
    return [
        ("to fetch" if summary.dry_run else "fetched", summary.fetched, fetched),
        ("linked", summary.linked, "duplicates"),
        ("copied", summary.copied, "duplicates"),
        ("already there", summary.present, ""),
        ("renamed", summary.renamed, "their names are other files'"),
        ("in cold storage", summary.archived, asked),
        ("failed", summary.failed, failed),
        ("remaining", summary.remaining, ""),
        ("throttled", summary.throttled, "requests that the server asked to slow down"),
    ]


def _hints(summary: PullSummary) -> list[str]:
    """What to run next."""
    if summary.archived and not summary.requested:
        return ["the same command with --restore asks for the objects in cold storage"]
    if summary.archived:
        return ["the same command in some hours, when the objects can be read"]
    if summary.exit_code or summary.remaining:
        return ["the same command continues"] if not summary.dry_run else []
    return []
