"""Counts by state: kept by triggers, and by statements about many rows in their place."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

TALLIES = """-- So that `status` never has to look at the rows themselves.
CREATE TABLE tally (
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  stage TEXT NOT NULL,
  state TEXT NOT NULL,
  items INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (destination_id, stage, state)
) WITHOUT ROWID;
CREATE TRIGGER item_counted AFTER INSERT ON item WHEN new.live BEGIN
  INSERT INTO tally VALUES (new.destination_id, new.stage, new.state, 1, new.size_bytes)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER item_recounted AFTER UPDATE OF state, live, size_bytes ON item
WHEN old.state <> new.state OR old.live <> new.live OR old.size_bytes <> new.size_bytes BEGIN
  UPDATE tally SET items = items - old.live, bytes = bytes - old.size_bytes * old.live
    WHERE destination_id = old.destination_id AND stage = old.stage AND state = old.state;
  INSERT INTO tally
    VALUES (new.destination_id, new.stage, new.state, new.live, new.size_bytes * new.live)
    ON CONFLICT DO UPDATE SET items = items + excluded.items, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER item_uncounted AFTER DELETE ON item WHEN old.live BEGIN
  UPDATE tally SET items = items - 1, bytes = bytes - old.size_bytes
    WHERE destination_id = old.destination_id AND stage = old.stage AND state = old.state;
END;
CREATE TABLE asset_tally (
  missing INTEGER PRIMARY KEY,     -- 0: there at the last walk, 1: gone
  assets INTEGER NOT NULL,
  bytes INTEGER NOT NULL
);
INSERT INTO asset_tally VALUES (0, 0, 0), (1, 0, 0);
CREATE TRIGGER asset_counted AFTER INSERT ON asset BEGIN
  UPDATE asset_tally SET assets = assets + 1, bytes = bytes + new.size_bytes
    WHERE missing = (new.missing_at IS NOT NULL);
END;
CREATE TRIGGER asset_recounted AFTER UPDATE OF size_bytes, missing_at ON asset BEGIN
  UPDATE asset_tally SET assets = assets - 1, bytes = bytes - old.size_bytes
    WHERE missing = (old.missing_at IS NOT NULL);
  UPDATE asset_tally SET assets = assets + 1, bytes = bytes + new.size_bytes
    WHERE missing = (new.missing_at IS NOT NULL);
END;
CREATE TRIGGER asset_uncounted AFTER DELETE ON asset BEGIN
  UPDATE asset_tally SET assets = assets - 1, bytes = bytes - old.size_bytes
    WHERE missing = (old.missing_at IS NOT NULL);
END;
"""

# A trigger takes 5,000 to 12,000 instructions a row, `WHEN` with nothing to do about 1,000.
COUNTED = """
-- A statement that counts its rows itself writes 1 into new ones, and into those that it changes
-- another value than they had: the triggers pass them over.
ALTER TABLE item ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE asset ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER item_counted;
CREATE TRIGGER item_counted AFTER INSERT ON item WHEN new.live AND NOT new.counted BEGIN
  INSERT INTO tally VALUES (new.destination_id, new.stage, new.state, 1, new.size_bytes)
    ON CONFLICT DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;
END;
DROP TRIGGER item_recounted;
CREATE TRIGGER item_recounted AFTER UPDATE OF state, live, size_bytes ON item
WHEN old.counted = new.counted
AND (old.state <> new.state OR old.live <> new.live OR old.size_bytes <> new.size_bytes) BEGIN
  UPDATE tally SET items = items - old.live, bytes = bytes - old.size_bytes * old.live
    WHERE destination_id = old.destination_id AND stage = old.stage AND state = old.state;
  INSERT INTO tally
    VALUES (new.destination_id, new.stage, new.state, new.live, new.size_bytes * new.live)
    ON CONFLICT DO UPDATE SET items = items + excluded.items, bytes = bytes + excluded.bytes;
END;
DROP TRIGGER asset_counted;
CREATE TRIGGER asset_counted AFTER INSERT ON asset WHEN NOT new.counted BEGIN
  UPDATE asset_tally SET assets = assets + 1, bytes = bytes + new.size_bytes
    WHERE missing = (new.missing_at IS NOT NULL);
END;
"""


def count_items(
    db: sqlite3.Connection, destination_id: int, stage: str, state: str, sizes: Sequence[int]
) -> None:
    """Live items of these sizes have come to this state."""
    _count(db, destination_id, stage, state, len(sizes), sum(sizes))


def uncount_items(
    db: sqlite3.Connection, destination_id: int, stage: str, state: str, sizes: Sequence[int]
) -> None:
    """Live items of these sizes have left this state."""
    _count(db, destination_id, stage, state, -len(sizes), -sum(sizes))


def _count(
    db: sqlite3.Connection, destination_id: int, stage: str, state: str, items: int, size: int
) -> None:
    db.execute(
        "INSERT INTO tally VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET items = items + excluded.items, bytes = bytes + excluded.bytes",
        (destination_id, stage, state, items, size),
    )


def count_assets(db: sqlite3.Connection, sizes: Sequence[int]) -> None:
    """There are new files of these sizes."""
    db.execute(
        "UPDATE asset_tally SET assets = assets + ?, bytes = bytes + ? WHERE missing = 0",
        (len(sizes), sum(sizes)),
    )
