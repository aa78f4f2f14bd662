"""The summary at the end of a run, as text."""

from __future__ import annotations

import textwrap
from collections import Counter
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from bulkup.cli.output.text import count, duration, escape, rate, size
from bulkup.stores.urls import is_broker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bulkup.events import Summary

_NAMED = 3  # folders of a push
_LATER = (("process", "thumbnails"), ("embed", "searchable"))


def summary_lines(
    summary: Summary, width: int | None = None, *, pushed: Sequence[str] = ()
) -> list[str]:
    """The summary for a terminal, `width` columns wide or as the real one: what happened, what
    failed and why, what to run next."""
    width = get_terminal_size().columns if width is None else width
    sentences, hints = _sentences(summary, pushed), _hints(summary)
    lines = [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, width, break_long_words=False, break_on_hyphens=False)
    ]
    label_width = max((len(label) for label, _ in hints), default=0) + 1
    return lines + [f"{label + ':':<{label_width}} {command}" for label, command in hints]


def summary_line(summary: Summary, *, pushed: Sequence[str] = ()) -> str:
    """The same in one line, for logs and pipes."""
    hints = [f"{label}: {command}" for label, command in _hints(summary)[:1]]
    return " ".join([*_sentences(summary, pushed), *hints])


def _sentences(summary: Summary, pushed: Sequence[str]) -> list[str]:
    if _nothing_to_do(summary):
        return [_nothing_line(summary, pushed)]
    if summary.error is not None and not _has_done(summary):
        # "unchanged" would look like "is there"
        to_upload = Counter(summary.stages.get("upload", {}))["ready"]
        return [_headline(summary)] + [_uploads(summary)] * bool(to_upload)
    return [
        one
        for one in (
            _headline(summary),
            _uploads(summary),
            _later_stages(summary),
            _beside(summary),
            f"Why: {_failures(summary)}." if summary.failures else "",
        )
        if one
    ]


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
    if any(settled) or any(undone) or summary.gone or summary.interrupted or summary.error:
        return False
    if summary.dry_run and _planned(summary):
        return False
    # A stage with only old failures exits with 3, although there is nothing to do.
    is_clean = not summary.exit_code or summary.command in ("process", "embed")
    return not summary.duplicates and is_clean


def _nothing_line(summary: Summary, pushed: Sequence[str]) -> str:
    if summary.files:
        where = escape(summary.destination)
        known = f", but {count(summary.accepted, 'accepted failure')}" * bool(summary.accepted)
        return f"Nothing changed: {count(summary.files, 'file')}, all in {where}{known}"
    if summary.left_out:
        left_out = count(summary.left_out, "file")
        return f"Nothing to do: no file was selected, {left_out} ignored."
    if summary.command in ("retry", "resume", "process", "embed"):
        return f"Nothing to {summary.command}."
    if summary.stages and "upload" not in summary.stages:
        return "Nothing to do: every uploaded file is through with these stages."
    where = f" in {', '.join(map(escape, pushed[:_NAMED]))}" if pushed else ""
    more = f" and {len(pushed) - _NAMED} more" if len(pushed) > _NAMED else ""
    found = f"no picture or video was found{where}{more}"
    return f"Nothing to do: {found} (--all-files takes all files)."


def _headline(summary: Summary) -> str:
    where, took = escape(summary.destination), duration(summary.seconds)
    if summary.dry_run:
        return f"Dry run to {where}: nothing was sent or written."
    if summary.error is not None and not _has_done(summary):
        return "Nothing was sent."
    if summary.interrupted or summary.error is not None or summary.ready:
        return f"Stopped after {took}, to {where}."
    is_done = not (summary.waiting or summary.dead or summary.claimed_elsewhere)
    return f"{'Done' if is_done and not summary.exit_code else 'Ended'} in {took}, to {where}."


def _has_done(summary: Summary) -> bool:
    done = (summary.sent, summary.adopted, summary.copied, summary.processed, summary.embedded)
    return any(done)


def _copied(summary: Summary) -> str:
    """What became of duplicates; a `bulkup serve` needs no second object."""
    return "recorded" if is_broker(summary.destination) else "copied"


def _uploads(summary: Summary) -> str:
    """The files of the upload: the numbers add up to the first one."""
    numbers = Counter(summary.stages.get("upload", {}))
    copied = f"{count(summary.copied)} {_copied(summary)} on the server"
    if not numbers["total"]:
        return f"{copied}." if summary.copied else ""
    sent = size(summary.sent_bytes)
    if not summary.dry_run and summary.seconds > 0:
        sent += f" at {rate(summary.sent_bytes / summary.seconds)}"
    saved = f"{size(summary.duplicate_bytes)} saved" + (f", {copied}" if summary.copied else "")
    duplicates = numbers["duplicates"]
    parts = [
        ("to upload" if summary.dry_run else "uploaded", summary.sent, sent),
        ("already there", summary.adopted, ""),
        ("duplicate" if duplicates == 1 else "duplicates", duplicates, saved),
        ("unchanged", numbers["unchanged"], ""),
        ("over the limit" if summary.dry_run else "to upload", numbers["ready"], ""),
        *_open(numbers),
    ]
    return f"{count(numbers['total'], 'file')}: {_listed(parts)}."


def _later_stages(summary: Summary) -> str:
    """`Thumbnails 88 of 512 (1 failed), searchable 84 of 512.`"""
    if summary.dry_run:
        return _planned(summary)
    stages = []
    for stage, label in _LATER:
        numbers = Counter(summary.stages.get(stage, {}))
        if not numbers["total"]:
            continue
        parts = [("skipped", numbers["skipped"], ""), *_open(numbers)]
        notes = _listed(parts)
        total = numbers["total"]
        stages.append(
            f"{label} {count(numbers['done'])} of {count(total)}" + (f" ({notes})" * bool(notes))
        )
    is_begun = any(
        summary.stages[stage]["total"] > summary.stages[stage]["upcoming"]
        for stage, _ in _LATER
        if stage in summary.stages
    )
    sentence = ", ".join(stages) if is_begun else ""
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _planned(summary: Summary) -> str:
    """`To process: 88 files. To embed: 84 files (over the limit: 4).`"""
    sentences = []
    for stage, _ in _LATER:
        numbers = Counter(summary.stages.get(stage, {}))
        to_do = numbers["total"] - numbers["over_limit"]
        if to_do:
            over = f" ({count(numbers['over_limit'])} more over the limit)"
            sentences.append(
                f"To {stage}: {count(to_do, 'file')}" + (over if numbers["over_limit"] else "")
            )
    return "".join(f"{one}. " for one in sentences).rstrip()


def _open(numbers: Mapping[str, int]) -> Sequence[tuple[str, int, str]]:
    return (
        ("will retry", numbers["waiting"], ""),
        ("failed", numbers["dead"], ""),
        ("accepted as failed", numbers["accepted"], ""),
        ("in progress in another run", numbers["claimed"], ""),
    )


def _beside(summary: Summary) -> str:
    """What is no part of the files that were selected."""
    throttled = summary.throttled
    parts = [
        ("deleted locally", summary.gone, "their objects are kept"),
        ("ignored", summary.left_out, ""),
        ("request throttled" if throttled == 1 else "requests throttled", throttled, ""),
    ]
    listed = _listed(parts)
    return f"Also: {listed}." if listed else ""


def _listed(parts: Iterable[tuple[str, int, str]]) -> str:
    return ", ".join(
        f"{count(number)} {label}" + (f" ({note})" if note else "")
        for label, number, note in parts
        if number
    )


def _failures(summary: Summary) -> str:
    """Error classes of unique files, the most frequent first."""
    ordered = sorted(summary.failures.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{escape(name)} {count(number)}" for name, number in ordered)


def _hints(summary: Summary) -> list[tuple[str, str]]:
    """What to run next; `resume` comes first after an interrupt."""
    if summary.dry_run:
        return [("Which", "add --verbose")] if summary.dead or summary.waiting else []
    if summary.error is not None and not _has_done(summary):
        return []  # the error has its own hint
    hints = []
    if (summary.ready or summary.interrupted) and summary.command in ("process", "embed"):
        hints.append(("Continue", f"bulkup {summary.command}"))
    elif summary.ready or summary.interrupted:
        hints.append(("Resume", "bulkup resume"))
    if summary.dead or summary.waiting:
        hints.append(("See why", "bulkup status --failed"))
        # What a retry could not fix, the next cannot either.
        if summary.waiting or summary.command != "retry":
            hints.append(("Retry now", "bulkup retry --failed"))
    return hints
