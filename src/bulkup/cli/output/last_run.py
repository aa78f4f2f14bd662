"""How the last batch ended, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bulkup.cli.output.text import escape, when
from bulkup.errors import ExitCode

if TYPE_CHECKING:
    from bulkup.manifest.reports.status import BatchRow

_ENDS: Mapping[int | None, str] = {
    ExitCode.DONE: "done",
    ExitCode.UNFINISHED: "done, but some files failed or will be retried,",
    ExitCode.DESTINATION: "ended by the destination",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.TERMINATED: "terminated",
    None: "killed; started",
}


def last_run_lines(last: BatchRow, now: float, *, has_open: bool) -> Iterator[str]:
    """`last` is not running; `has_open`: items are left to be worked on."""
    ended = _ENDS.get(last.exit_code, f"ended with exit code {last.exit_code}")
    yield f"Last: {last.command} {ended} {local(last.ended_at or last.started_at, now)}"
    if last.error:
        yield f"  {escape(last.error)}"
    if last.exit_code == ExitCode.DESTINATION and last.destination:
        yield f"Why: bulkup doctor --to {escape(last.destination)}"
    if has_open:
        yield "Next: bulkup resume"


def local(moment: str, now: float) -> str:
    """An ISO time in UTC as people read it: `3m 20s ago`, or a date in local time."""
    at = datetime.fromisoformat(moment)
    return when(at.timestamp(), now, at.astimezone().tzinfo or UTC)
