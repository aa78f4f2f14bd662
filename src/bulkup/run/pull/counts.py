"""The numbers of a pull. Plain fields: the progress bar reads them from another thread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bulkup.model import StageCount


@dataclass(slots=True)
class PullCounts:
    """What was planned and done. Files unless named otherwise."""

    files: int = 0
    present: int = 0
    linked: int = 0
    copied: int = 0
    renamed: int = 0
    fetched: int = 0  # the first file of each content that was not there, also of the empty one
    fetched_bytes: int = 0
    archived: int = 0  # contents
    requested: int = 0  # contents
    done: int = 0
    done_bytes: int = 0  # of objects, some of them not complete
    total_bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.failures.total()

    @property
    def remaining(self) -> int:
        """Files of which nothing is known yet."""
        return self.files - self.done - self.present - self.failed

    def as_stage(self) -> StageCount:
        """The numbers of the progress bar; files that are there do not move it."""
        return StageCount(
            done=self.done,
            failed=self.failed,
            dead=self.failed,
            total=self.files - self.present,
            done_bytes=self.done_bytes,
            total_bytes=self.total_bytes,
        )
