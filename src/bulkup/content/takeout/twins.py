"""Which JSON file an equal picture elsewhere in the export shares.

An album's folder often holds its pictures without their JSON files, which are in the folders of the
years, in whatever part.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from bulkup.content.takeout.places import is_year_folder


class NotedPicture(NamedTuple):
    """A picture of an export that found its JSON in its own folder."""

    folder: str
    name: str
    note_id: int
    json: str  # the name of the JSON
    facts: Hashable  # what it says


def note_of_twin(name: str, twins: Sequence[NotedPicture]) -> int | None:
    """The JSON, by its id, for the picture `name` that has none in its folder, of pictures with
    equal bytes: one in the folder of a year rather than of an album, and one of a picture of the
    same name. None where those that are left say different things."""
    some = [one for one in twins if is_year_folder(one.folder)] or list(twins)
    some = [one for one in some if one.name == name] or some
    if len({one.facts for one in some}) != 1:
        return None
    return min(some, key=lambda one: (one.folder, one.json)).note_id
