"""The summary at the end of a run, as text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkup.cli.output.text import count, duration, escape, rate, size

if TYPE_CHECKING:
    from bulkup.events import Summary


def summary_lines(summary: Summary) -> list[str]:
    """The summary for a terminal: what happened, what failed and why, what to run next."""
    if _nothing_to_do(summary):
        return [_nothing_line(summary)]
    lines = [_headline(summary)]
    rows = [(label, number, note) for label, number, note in _counts(summary) if number]
    label_width = max((len(label) for label, _, _ in rows), default=0)
    number_width = max((len(count(number)) for _, number, _ in rows), default=0)
    for label, number, note in rows:
        line = f"  {label:<{label_width}}  {count(number):>{number_width}}  {note}"
        lines.append(line.rstrip())
    if summary.failures:
        lines.append(f"Why: {_failures(summary)}")
    lines += [f"Next: {hint}" for hint in _hints(summary)]
    return lines


def summary_line(summary: Summary) -> str:
    """The same in one line, for logs and pipes."""
    if _nothing_to_do(summary):
        return _nothing_line(summary)
    counts = [
        f"{count(number)} {label}" + (f" ({note})" if note else "")
        for label, number, note in _counts(summary)
        if number
    ]
    parts = [_headline(summary) + (f": {', '.join(counts)}" if counts else "")]
    if summary.failures:
        parts.append(f"why: {_failures(summary)}")
    parts += [f"next: {hint}" for hint in _hints(summary)[:1]]
    return "; ".join(parts)


def _nothing_to_do(summary: Summary) -> bool:
    settled = (
        summary.sent,
        summary.adopted,
        summary.copied,
        summary.new,
        summary.changed,
        summary.processed,
        summary.embedded,
        summary.passed_over,
    )
    undone = (summary.waiting, summary.dead, summary.ready, summary.claimed_elsewhere)
    if any(settled) or any(undone) or summary.gone or summary.interrupted:
        return False
    # A stage with only old failures exits with 3, although there is nothing to do.
    is_clean = not summary.exit_code or summary.command in ("process", "embed")
    return not summary.duplicates and is_clean


def _nothing_line(summary: Summary) -> str:
    if summary.files:
        where = escape(summary.destination)
        return f"Nothing changed: {count(summary.files, 'file')}, all in {where}"
    if summary.left_out:
        left_out = count(summary.left_out, "file")
        return f"Nothing to do: no file was selected, {left_out} ignored"
    if summary.command in ("retry", "resume", "process", "embed"):
        return f"Nothing to {summary.command}"
    return "Nothing to do"


def _headline(summary: Summary) -> str:
    where, took = escape(summary.destination), duration(summary.seconds)
    if summary.dry_run:
        return f"Dry run to {where}: nothing was sent or written"
    if summary.interrupted:
        return f"Interrupted after {took}, to {where}"
    undone = summary.waiting or summary.dead or summary.ready or summary.claimed_elsewhere
    if undone or summary.exit_code:
        return f"Partly done after {took}, to {where}"
    return f"Done in {took}, to {where}"


def _counts(summary: Summary) -> list[tuple[str, int, str]]:
    """(label, number, note) in the order of the stages."""
    sent = size(summary.sent_bytes)
    if not summary.dry_run and summary.seconds > 0:
        sent += f" at {rate(summary.sent_bytes / summary.seconds)}"
    return [
        ("to send" if summary.dry_run else "sent", summary.sent, sent),
        ("already there", summary.adopted, ""),
        ("copied", summary.copied, "on the server"),
        (
            "duplicate" if summary.duplicates == 1 else "duplicates",
            summary.duplicates,
            f"{size(summary.duplicate_bytes)} saved",
        ),
        ("processed", summary.processed, "thumbnails and metadata"),
        ("embedded", summary.embedded, "now searchable"),
        ("skipped", summary.passed_over, "not pictures, or no decoder installed"),
        ("unchanged", summary.unchanged, ""),
        ("deleted locally", summary.gone, "their objects are kept"),
        ("ignored", summary.left_out, ""),
        ("will retry", summary.waiting, ""),
        ("failed", summary.dead, ""),
        ("remaining", summary.ready, ""),
        ("in progress", summary.claimed_elsewhere, "in another run"),
        ("throttled", summary.throttled, "requests that the server asked to slow down"),
    ]


def _failures(summary: Summary) -> str:
    """Error classes, the most frequent first."""
    ordered = sorted(summary.failures.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{escape(name)} {count(number)}" for name, number in ordered)


def _hints(summary: Summary) -> list[str]:
    """What to run next."""
    if summary.dead or summary.waiting:
        hints = ["bulkup status --failed   which files, and why"]
        if (
            summary.waiting or summary.command != "retry"
        ):  # what a retry could not fix, the next cannot either
            hints.append("bulkup retry --failed    retry them now")
        return hints
    if summary.ready and not summary.dry_run:
        return ["bulkup resume            continue where this run stopped"]
    return []
