"""The facts of all pictures in columns, for filters that decide about all of them at once.

A question for each of 100,000 pictures takes ten times as long as the rest of a search.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np

from bulkup.search.filters import Filters

IN: Final = 0
"""All files of the picture pass."""
OUT: Final = 1
"""None of its files does."""
BY_FILE: Final = 2
"""Each of its files is to be asked: its path decides."""


class FilterColumns:
    """Moments, cameras and places of pictures, all in the same order."""

    def __init__(
        self,
        moments: Sequence[datetime | None],
        cameras: Sequence[str | None],
        places_degrees: Sequence[tuple[float, float] | None],
    ) -> None:
        """Moments by the camera's clock; places north and east; None for what is unknown."""
        self._moments = np.array(moments, "datetime64[us]")  # NaT for None
        numbers: dict[str | None, int] = {}
        self._camera_numbers = np.array(
            [numbers.setdefault(name, len(numbers)) for name in cameras], np.intp
        )
        self._camera_names = list(numbers)
        self._places_degrees = places_degrees

    def decide(self, filters: Filters) -> list[int]:
        """IN, OUT or BY_FILE for each picture, by what all its files have in common."""
        whole = IN if filters.path is None else BY_FILE
        decided = np.full(len(self._moments), whole, np.int8)
        if filters.after is not None:
            decided[self._moments < np.datetime64(filters.after, "us")] = OUT
        if filters.before is not None:
            decided[self._moments >= np.datetime64(filters.before, "us")] = OUT
        if filters.after is not None or filters.before is not None:
            decided[np.isnat(self._moments)] = BY_FILE  # the date in its path counts
        if filters.camera is not None and self._camera_names:
            is_allowed = np.array(list(map(filters.allow_camera, self._camera_names)), np.bool_)
            decided[~is_allowed[self._camera_numbers]] = OUT
        if filters.near is not None:
            decided[[not filters.allow_place(place) for place in self._places_degrees]] = OUT
        found: list[int] = decided.tolist()
        return found
