"""The numbers of one stage. Plain fields: the progress bars read them from another thread."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class StageCounts:
    """What a run has done at one stage. An upload counts files, the other stages contents."""

    done: int = 0
    done_bytes: int = 0  # of the contents, not of what was made of them
    skipped: int = 0
    waiting: int = 0
    dead: int = 0
    # Of `done`, at the upload:
    sent: int = 0
    sent_bytes: int = 0
    adopted: int = 0
    duplicates: int = 0
    duplicate_bytes: int = 0
    touched: int = 0  # only: the bytes are those that the file had before
    touched_earlier: int = 0  # of these: since before this run's scan, which saw no change

    @property
    def failed(self) -> int:
        return self.waiting + self.dead
