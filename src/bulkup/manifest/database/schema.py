"""The manifest's schema, as migrations: number n is at index n - 1.

For a new one: `NEWEST` in migrations.py, and `python docs/generate.py`.
"""

from __future__ import annotations

from bulkup.manifest.database.counts import COUNTED, TALLIES
from bulkup.manifest.database.migrations import NEWEST, Migration, migration
from bulkup.manifest.database.pairs import NOTED_EDITS
from bulkup.manifest.database.serve import SERVE
from bulkup.manifest.database.sidecars import MIXED_CASE, SIDECARS, SUFFIX_FIRST
from bulkup.manifest.database.tables import TABLES
from bulkup.manifest.database.takeout import ALL_PARTS, TAGS, TAKEOUT, TWINS, UNPACKED_PARTS
from bulkup.manifest.database.views import VIEWS

# By the unread content of a changed file: its content before (or none: that row may be gone).
REPLACES = "ALTER TABLE content ADD COLUMN replaces INTEGER;"

MIGRATIONS: tuple[Migration, ...] = (
    migration(1, TABLES + TALLIES + SIDECARS + TAKEOUT + SERVE + VIEWS),
    migration(2, REPLACES),
    migration(3, TAGS),
    migration(4, MIXED_CASE),
    migration(5, TWINS),
    migration(6, COUNTED + SUFFIX_FIRST),
    migration(7, UNPACKED_PARTS),
    migration(8, ALL_PARTS),
    migration(9, NOTED_EDITS),
)
assert len(MIGRATIONS) == NEWEST
