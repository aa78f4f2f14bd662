"""The manifest's tables, indexes, triggers and views, as numbered migrations.

`PRAGMA user_version` holds the number of the last migration that ran. A migration is never
edited once released; the next one builds on it. What they hold:

    destination  a bucket and prefix, or a directory           root    what the user named
    folder       a directory (or archive) below a root         asset   a file, by folder and name
    content      distinct bytes; digest NULL until read        item    one stage of a content
    attempt      one run of an item                            object  a key and what it holds
    upload/part  an open multipart upload and its stored parts run     a process of bulkup
    batch        one push over its roots                       tally   counts, kept by triggers
    batch_run    what one run did for a batch

The second migration, in schema_2, adds pictures, variants and embeddings.

Paths that are valid UTF-8 are TEXT, others are BLOB with the raw bytes. Times are seconds since
1970 UTC (REAL); the views show them as ISO 8601.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from bulkup.manifest.schema_2 import SECOND

Migration = Callable[[sqlite3.Connection], None]

FIRST = """
CREATE TABLE destination (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL,
  endpoint_url TEXT NOT NULL DEFAULT '',
  region TEXT,
  profile TEXT,
  conditional_writes INTEGER,      -- NULL until probed
  checksums INTEGER,               -- NULL until probed
  learned_limit INTEGER,           -- what the window last settled at
  learned_rate REAL,
  learned_at REAL,
  UNIQUE (url, endpoint_url)
);
CREATE TABLE root (
  id INTEGER PRIMARY KEY,
  path NOT NULL UNIQUE,            -- absolute
  destination_id INTEGER REFERENCES destination (id),
  walked_at REAL                   -- last time a walk came to its end
);
CREATE TABLE folder (
  id INTEGER PRIMARY KEY,
  root_id INTEGER NOT NULL REFERENCES root (id),
  path NOT NULL,                   -- relative to the root: '', 'sub/' or 'sub/archive.zip#'
  UNIQUE (root_id, path)
);
CREATE TABLE content (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a run may still hold a deleted one's
  digest BLOB UNIQUE,              -- 32 bytes; NULL while nobody has read the file
  size_bytes INTEGER NOT NULL,
  media_type TEXT,
  assets INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX content_unused ON content (id) WHERE assets = 0;
CREATE TABLE asset (
  id INTEGER PRIMARY KEY,
  folder_id INTEGER NOT NULL REFERENCES folder (id),
  name NOT NULL,
  size_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  changed_ns INTEGER NOT NULL,
  content_id INTEGER NOT NULL REFERENCES content (id),
  missing_at REAL
);
CREATE UNIQUE INDEX asset_name ON asset (folder_id, name);
CREATE INDEX asset_content ON asset (content_id);
CREATE TABLE item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the same; attempts and uploads outlive their item, too
  content_id INTEGER NOT NULL REFERENCES content (id),
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  stage TEXT NOT NULL,
  state TEXT NOT NULL,
  live INTEGER NOT NULL DEFAULT 1, -- 0 once no asset has this content any more
  size_bytes INTEGER NOT NULL,
  batch_id INTEGER,
  run_id TEXT,                     -- who holds the claim
  in_hand INTEGER NOT NULL DEFAULT 0, -- 1 while a worker has it
  priority INTEGER NOT NULL DEFAULT 1, -- 0 urgent, 1 normal, 2 low, 3 has strikes
  due_at REAL NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  attempts_granted INTEGER NOT NULL DEFAULT 0, -- by retry, beyond the stage's own number
  strikes INTEGER NOT NULL DEFAULT 0,
  error_class TEXT,
  error TEXT,
  reason TEXT,                     -- why it was skipped
  settled_at REAL,
  UNIQUE (content_id, destination_id, stage)
);
CREATE INDEX item_queue ON item (stage, batch_id, priority, due_at, id)
  WHERE state IN ('ready', 'waiting');
CREATE INDEX item_claimed ON item (run_id) WHERE state = 'claimed';
CREATE INDEX item_failed ON item (stage, state, error_class) WHERE state IN ('waiting', 'dead');
CREATE TABLE object (
  destination_id INTEGER NOT NULL REFERENCES destination (id),
  key TEXT NOT NULL,
  content_id INTEGER NOT NULL REFERENCES content (id),
  kind TEXT NOT NULL,              -- original, copy
  asset_id INTEGER,                -- of a copy: the asset it stands for
  size_bytes INTEGER NOT NULL,
  etag TEXT,
  checksum TEXT,                   -- composite of a multipart object (base64-N)
  stored_at REAL,                  -- NULL while the key is only reserved
  PRIMARY KEY (destination_id, key)
) WITHOUT ROWID;
-- Questions by content say `+destination_id`: SQLite would else look through all objects of the
-- destination, since it takes the first column of the primary key for as good as this index.
CREATE INDEX object_content ON object (content_id, destination_id);
CREATE INDEX object_copy ON object (asset_id) WHERE asset_id IS NOT NULL;
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  ended_at REAL NOT NULL,
  seconds REAL NOT NULL,
  outcome TEXT NOT NULL,           -- done, skipped, failed
  error_class TEXT,
  error TEXT,
  request_id TEXT
);
CREATE INDEX attempt_item ON attempt (item_id);
CREATE TABLE upload (
  item_id INTEGER PRIMARY KEY,
  destination_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  upload_id TEXT NOT NULL,
  part_bytes INTEGER NOT NULL,
  begun_at REAL NOT NULL
);
CREATE TABLE part (
  item_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  etag TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (item_id, number)
) WITHOUT ROWID;
CREATE TABLE run (
  id TEXT PRIMARY KEY,
  command TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process_started TEXT NOT NULL,   -- tells this process from a later one with the same pid
  started_at REAL NOT NULL,
  heartbeat_at REAL NOT NULL,
  ended_at REAL,
  exit_code INTEGER,
  summary TEXT                     -- JSON
);
CREATE INDEX run_open ON run (ended_at) WHERE ended_at IS NULL;
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,            -- the last one that worked on it
  destination_id INTEGER NOT NULL,
  options TEXT NOT NULL,           -- JSON: all that is needed to go on with it
  started_at REAL NOT NULL,
  ended_at REAL
);
CREATE TABLE batch_run (
  batch_id INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  started_at REAL NOT NULL,
  ended_at REAL,
  exit_code INTEGER,
  summary TEXT,                    -- JSON: of this batch alone
  PRIMARY KEY (batch_id, run_id)
) WITHOUT ROWID;
CREATE TABLE batch_root (
  batch_id INTEGER NOT NULL,
  root_id INTEGER NOT NULL,
  walked_at REAL,                  -- NULL while the walk has not come to its end
  PRIMARY KEY (batch_id, root_id)
) WITHOUT ROWID;
CREATE TABLE latency (
  stage TEXT NOT NULL,
  bucket INTEGER NOT NULL,         -- an attempt of about 2**(bucket/8) ms
  attempts INTEGER NOT NULL,
  PRIMARY KEY (stage, bucket)
) WITHOUT ROWID;

-- Counts by state, so that `status` never has to look at the rows themselves.
CREATE TABLE tally (
  destination_id INTEGER NOT NULL,
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

CREATE VIEW files AS
SELECT
  root.path AS root,
  -- || makes TEXT even of BLOBs: what is no UTF-8 must stay a BLOB, or few clients can read it
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  asset.size_bytes,
  strftime('%Y-%m-%dT%H:%M:%SZ', asset.modified_ns / 1000000000, 'unixepoch') AS modified_at,
  nullif(lower(hex(content.digest)), '') AS digest,
  content.media_type,
  destination.url AS destination,
  coalesce(
    (SELECT key FROM object WHERE object.asset_id = asset.id
      AND object.content_id = content.id  -- not a copy of what the file held earlier
      AND object.destination_id = destination.id AND stored_at IS NOT NULL),
    (SELECT key FROM object WHERE object.content_id = content.id
      AND +object.destination_id = destination.id AND kind = 'original' AND stored_at IS NOT NULL)
  ) AS key,
  (SELECT state FROM item WHERE item.content_id = content.id
    AND item.destination_id = destination.id AND stage = 'upload') AS upload,
  (SELECT state FROM item WHERE item.content_id = content.id
    AND item.destination_id = destination.id AND stage = 'process') AS process,
  (SELECT state FROM item WHERE item.content_id = content.id
    AND item.destination_id = destination.id AND stage = 'embed') AS embed,
  strftime('%Y-%m-%dT%H:%M:%SZ', asset.missing_at, 'unixepoch') AS missing_since
FROM asset
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id
JOIN content ON content.id = asset.content_id
LEFT JOIN destination ON destination.id = root.destination_id;

CREATE VIEW failures AS
SELECT
  root.path AS root,
  -- || makes TEXT even of BLOBs: what is no UTF-8 must stay a BLOB, or few clients can read it
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  nullif(lower(hex(content.digest)), '') AS digest,
  item.stage,
  item.state,
  item.error_class,
  item.error,
  item.attempts,
  CASE WHEN item.state = 'waiting'
    THEN strftime('%Y-%m-%dT%H:%M:%SZ', item.due_at, 'unixepoch') END AS next_attempt_at,
  destination.url AS destination,
  item.id AS item                  -- attempt.item_id tells its history
FROM item
JOIN content ON content.id = item.content_id
JOIN destination ON destination.id = item.destination_id
JOIN asset ON asset.content_id = item.content_id
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id
WHERE item.state IN ('waiting', 'dead') AND item.live;

CREATE VIEW progress AS
SELECT destination.url AS destination, tally.stage, tally.state, tally.items, tally.bytes
FROM tally JOIN destination ON destination.id = tally.destination_id
WHERE tally.items > 0;

CREATE VIEW batches AS
SELECT
  batch.id,
  run.id AS run,
  run.command,
  run.host,
  run.pid,
  destination.url AS destination,
  (SELECT CASE WHEN sum(typeof(root.path) = 'blob')
    THEN CAST(group_concat(root.path, char(10)) AS BLOB)
    ELSE group_concat(root.path, char(10)) END FROM batch_root
    JOIN root ON root.id = batch_root.root_id WHERE batch_root.batch_id = batch.id) AS roots,
  strftime('%Y-%m-%dT%H:%M:%SZ', batch_run.started_at, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', batch_run.ended_at, 'unixepoch') AS ended_at,
  batch_run.exit_code,
  json_extract(batch_run.summary, '$.files') AS files,
  json_extract(batch_run.summary, '$.sent') AS sent,
  json_extract(batch_run.summary, '$.sent_bytes') AS sent_bytes,
  json_extract(batch_run.summary, '$.duplicates') AS duplicates,
  json_extract(batch_run.summary, '$.duplicate_bytes') AS duplicate_bytes,
  json_extract(batch_run.summary, '$.seconds') AS seconds
FROM batch_run
JOIN batch ON batch.id = batch_run.batch_id
JOIN run ON run.id = batch_run.run_id
JOIN destination ON destination.id = batch.destination_id;
"""


def _migration(number: int, statements: str) -> Migration:
    script = f"BEGIN IMMEDIATE;{statements}PRAGMA user_version = {number}; COMMIT;"

    def migrate(connection: sqlite3.Connection) -> None:
        connection.executescript(script)

    return migrate


MIGRATIONS: tuple[Migration, ...] = (_migration(1, FIRST), _migration(2, SECOND))
"""Migration number n is at index n - 1. Each one is a transaction that sets user_version itself."""
