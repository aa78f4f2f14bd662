"""Failed files, grouped by cause, for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from bulkup.cli.output.table import below_one_folder, shorten
from bulkup.cli.output.text import count, escape, when

if TYPE_CHECKING:
    from bulkup.manifest.reports.status import FailureRow

_SHOWN = 5  # files of one cause
_SUBJECT = re.compile(r"^(key|bucket) '[^']*': ")


class _Cause(NamedTuple):
    stage: str
    state: str
    error_class: str
    error: str


def failure_lines(
    rows: Iterable[FailureRow], now: float, width: int, *, accepted: bool = False
) -> Iterator[str]:
    """The most frequent cause first: how many files, what failed and why, when it is tried next,
    and some of the files, below the folder that all share."""
    found = list(rows)
    folder, paths = below_one_folder([row.path for row in found])
    groups: dict[_Cause, list[tuple[str, FailureRow]]] = {}
    for path, row in zip(paths, found, strict=True):
        groups.setdefault(_cause(row), []).append((path, row))
    if folder:
        yield f"In {escape(folder)}:"
    is_cut = False
    for cause, members in sorted(groups.items(), key=lambda group: -len(group[1])):
        times = (row.next_attempt_at for _, row in members)
        due = min((time for time in times if time), default=None)
        yield from _heading(cause, len(members), due, now, width)
        yield from (f"  {shorten(escape(path), width - 2)}" for path, _ in members[:_SHOWN])
        if len(members) > _SHOWN:
            is_cut = True
            yield f"  … {count(len(members) - _SHOWN)} more"
    if is_cut:
        yield f"List all: bulkup status --{'accepted' if accepted else 'failed'} | less"
    if accepted:
        yield "Make them count again: bulkup accept --undo"
        return
    yield "Retry now: bulkup retry --failed"
    if any(row.state == "dead" for row in found):
        yield "Known failures: bulkup accept"


def _heading(cause: _Cause, files: int, due: str | None, now: float, width: int) -> Iterator[str]:
    state = "failed" if cause.state == "dead" else "will retry"
    said = f"{count(files, 'file')}: {cause.stage} {state}, {cause.error_class}"
    if due is not None:
        at = datetime.fromisoformat(due)
        said += f", next try {when(at.timestamp(), now)}" if at.timestamp() > now else ", due now"
    yield ""
    yield said
    if cause.error:
        yield f"  {shorten(escape(cause.error), width - 2)}"


def _cause(row: FailureRow) -> _Cause:
    """What the failure has in common with others: not the names of files in its message."""
    error = _SUBJECT.sub("", row.error or "").replace(row.path, "…")
    return _Cause(row.stage, row.state, row.error_class or "unknown", error)
