"""The other manifest by itself, before it is joined and when that fails."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from bulkup.errors import ManifestCorrupt, ManifestNewer, UsageError
from bulkup.manifest.database.connection import open_to_read
from bulkup.manifest.database.schema import MIGRATIONS

_UNHARMED: Final = "This machine's manifest is as it was. Copy the other one again."


def check_other(path: str) -> None:
    """Raise UsageError or ManifestError unless there is a manifest of this schema at `path`."""
    try:
        connection, version = open_to_read(path)
        connection.close()
    except ManifestCorrupt as error:
        raise ManifestCorrupt(str(error), hint=_UNHARMED) from error
    except ManifestNewer as error:
        raise ManifestNewer(str(error), hint="Install that version here, too.") from error
    if version == 0:
        raise UsageError(f"{path} is empty, or no manifest of bulkup")
    if version != len(MIGRATIONS):
        raise UsageError(
            f"{path} was written by an earlier version of bulkup",
            hint=f"Migrate it first: bulkup status --manifest {path}",
        )


def damage_of(path: str) -> ManifestCorrupt | None:
    """The error for a file that is damaged; None for one that SQLite finds no fault in."""
    try:
        connection, _ = open_to_read(path)
        with closing(connection):
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except ManifestCorrupt as error:
        found = str(error)
    if found == "ok":
        return None
    return ManifestCorrupt(
        f"{path} is damaged: {found}",
        hint="What was read of it is kept. Copy it again, and merge once more.",
    )
