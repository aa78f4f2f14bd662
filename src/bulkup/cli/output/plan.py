"""What a dry run says beside its numbers: kinds of files, what is ignored, how long it takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bulkup.cli.output.text import count, duration, rate, size
from bulkup.content.extensions import PICTURE_TYPES, RAW_TYPES, VIDEO_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkup.events import Event
    from bulkup.manifest.reports.status import BatchRow

_SENT = ("send", "copy")
_NAMES = {"JPG": "JPEG", "JPE": "JPEG", "HEIF": "HEIC", "TIF": "TIFF"}
_MOST_REASONS = 5


class PlanDetails:
    """Collects the events of a dry run."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, event: Event) -> None:
        """One more event of the run."""
        from bulkup.events import FilesLeftOut
        from bulkup.plan_events import FilesPlanned

        if isinstance(event, FilesPlanned):
            for file in event.files:
                if file.verdict in _SENT:
                    kind = kind_of(file.path)
                    self._files[kind] += 1
                    self._bytes[kind] += file.size_bytes
        elif isinstance(event, FilesLeftOut):
            self._reasons.update(file.reason for file in event.files if file.error_class is None)

    def lines(self, destination: str, history: Iterable[BatchRow]) -> list[str]:
        """For the summary, each indented by two blanks. `history`: earlier batches, the newest
        first."""
        lines = []
        if kinds := self._files.most_common():
            named = [f"{count(n)} {kind} ({size(self._bytes[kind])})" for kind, n in kinds]
            lines.append(f"  To upload: {', '.join(named)}.")
        speed = last_speed(destination, history)
        if speed and (total := self._bytes.total()):
            took = duration(total / speed)
            lines.append(f"  At the rate of the last push there, {rate(speed)}: {took}.")
        if reasons := self._reasons.most_common(_MOST_REASONS):
            others = self._reasons.total() - sum(n for _, n in reasons)
            named = [f"{count(n)} {reason}" for reason, n in reasons]
            more = f", {count(others)} for other reasons (--verbose)" if others else ""
            lines.append(f"  Ignored: {', '.join(named)}{more}.")
        return lines


def kind_of(path: str) -> str:
    """`JPEG`, `HEIC`, …, `raw`, `video` or `other`, by the extension."""
    extension = path.rpartition("/")[2].rpartition(".")[2].lower()
    if extension in RAW_TYPES:
        return "raw"
    if extension in VIDEO_TYPES:
        return "video"
    if extension in PICTURE_TYPES:
        return _NAMES.get(extension.upper(), "JPEG" if extension == "jpeg" else extension.upper())
    return "other"


def last_speed(destination: str, history: Iterable[BatchRow]) -> float | None:
    """Bytes a second of the last push there that sent anything."""
    for row in history:
        if row.destination == destination and row.sent_bytes and row.seconds:
            return row.sent_bytes / row.seconds
    return None
