"""What a template of keys needs to know of a file that was read."""

from __future__ import annotations

import io
from typing import BinaryIO

from bulkup.content.reading import Loaded, is_member
from bulkup.manifest.rows import WorkItem
from bulkup.stores.key_templates import KeyFacts


def key_facts(item: WorkItem, loaded: Loaded) -> KeyFacts:
    """Date and camera, from the file's metadata; the date else from its name.

    Of a file that is too large for one request the header is read again; of such a member of an
    archive only the name is known.
    """
    name = item.name.rpartition("/")[2]
    if loaded.body is not None:
        return _facts(io.BytesIO(loaded.body), name)
    if is_member(item.folder):
        return _facts(io.BytesIO(), name)
    try:
        with open(f"{item.root}/{item.folder}{item.name}", "rb") as file:
            return _facts(file, name)
    except OSError:  # it vanished, which the loader reports
        return _facts(io.BytesIO(), name)


def _facts(file: BinaryIO, name: str) -> KeyFacts:
    from bulkup.content.picture.facts.names import date_in_name
    from bulkup.content.picture.header import header_facts
    from bulkup.content.picture.types import Precision

    facts = header_facts(file, name)
    taken = facts.taken_at or date_in_name(name)
    is_dated = taken is not None and taken.precision >= Precision.DAY
    return KeyFacts(taken.local if taken is not None and is_dated else None, facts.camera)
