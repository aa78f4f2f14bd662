"""The manifest's tables, indexes and triggers.

    destination  a bucket and prefix, or a directory           root    what the user named
    folder       a directory (or archive) below a root         asset   a file, by folder and name
    content      distinct bytes; digest NULL until read        item    one stage of a content
    attempt      one run of an item                            object  a key and what it holds
    upload/part  an open multipart upload and its stored parts run     a process of bulkup
    batch        one push over its roots                       tally   counts, kept by triggers
    batch_run    what one run did for a batch                  picture what a picture says of itself
    embedder     a model and its version                       embedding  a content's unit vector

A variant is a row of `object` with its own digest; its kind is the variant's name.

Foreign keys are enforced, and what refers to a row that may be deleted has an index. Ids without
REFERENCES may outlive their row, as the comment beside them says.

Paths that are valid UTF-8 are TEXT, others are BLOB with the raw bytes. Times are seconds since
1970 UTC (REAL); the views show them as ISO 8601.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE destination (
  id INTEGER PRIMARY KEY,
  url TEXT NOT NULL,
  endpoint_url TEXT NOT NULL DEFAULT '',
  region TEXT,
  addressing_style TEXT CHECK (addressing_style IN ('auto', 'path', 'virtual')),
  profile TEXT,
  conditional_writes INTEGER,      -- NULL until probed
  checksums INTEGER,               -- NULL until probed
  url_bindings TEXT,               -- what signed URLs bind, a JSON array; NULL until probed
  learned_limit INTEGER,           -- what the window last settled at
  learned_rate REAL,
  learned_at REAL,
  UNIQUE (url, endpoint_url)
);
CREATE TABLE root (
  id INTEGER PRIMARY KEY,
  path NOT NULL UNIQUE,            -- absolute; HOST:PATH where it is another machine's
  host TEXT NOT NULL DEFAULT '',   -- that machine, whose manifest was merged; '' is this one
  destination_id INTEGER REFERENCES destination (id) ON DELETE SET NULL, -- the last one
  reached_id INTEGER REFERENCES destination (id) ON DELETE SET NULL, -- the one before, reached
  walked_at REAL,                  -- last time a walk came to its end
  mounts TEXT NOT NULL DEFAULT '[]' -- paths below it ('': itself) where a file system was mounted
);
CREATE TABLE folder (
  id INTEGER PRIMARY KEY,
  root_id INTEGER NOT NULL REFERENCES root (id) ON DELETE CASCADE,
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
  folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
  name NOT NULL,
  size_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  changed_ns INTEGER NOT NULL,
  content_id INTEGER NOT NULL REFERENCES content (id),
  missing_at REAL,
  is_unreadable INTEGER NOT NULL DEFAULT 0 -- 1: a scan saw its name and could not read it; a path
                                   -- ending in '/' or an archive's stands for all that is in it
);
CREATE UNIQUE INDEX asset_name ON asset (folder_id, name);
CREATE INDEX asset_content ON asset (content_id);
CREATE TABLE freed_asset (           -- erased by `free`: `pull` brings it back
  asset_id INTEGER PRIMARY KEY REFERENCES asset (id) ON DELETE CASCADE,
  freed_at REAL NOT NULL
);
CREATE TRIGGER asset_came_back AFTER UPDATE OF missing_at ON asset
WHEN new.missing_at IS NULL BEGIN
  DELETE FROM freed_asset WHERE asset_id = new.id;
END;
CREATE TABLE item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the same; a multipart upload outlives its item, too
  content_id INTEGER NOT NULL REFERENCES content (id),
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  stage TEXT NOT NULL CHECK (stage = 'upload' OR stage = 'process' OR stage = 'embed'),
  state TEXT NOT NULL CHECK (      -- an IN list as long as this would take 0.5 us for each row
    state = 'done' OR state = 'claimed' OR state = 'ready' OR state = 'waiting'
    OR state = 'skipped' OR state = 'dead'),
  live INTEGER NOT NULL DEFAULT 1, -- 0 once no asset has this content any more
  size_bytes INTEGER NOT NULL,
  batch_id INTEGER,                -- perhaps of one that was forgotten
  run_id TEXT,                     -- who holds the claim
  in_hand INTEGER NOT NULL DEFAULT 0, -- 1 while a worker has it
  priority INTEGER NOT NULL DEFAULT 1, -- 0 urgent, 1 normal, 2 low, 3 suspect
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
-- The queue of the stages after the upload: by destination, not by batch.
CREATE INDEX item_later ON item (destination_id, stage, priority, due_at, id)
  WHERE state IN ('ready', 'waiting') AND stage <> 'upload';
CREATE INDEX item_claimed ON item (run_id) WHERE state = 'claimed';
CREATE INDEX item_failed ON item (stage, state, error_class) WHERE state IN ('waiting', 'dead');
CREATE TABLE object (
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  content_id INTEGER NOT NULL REFERENCES content (id),
  kind TEXT NOT NULL,              -- original, copy, or the variant's name
  asset_id INTEGER REFERENCES asset (id) ON DELETE SET NULL, -- of a copy: what it stands for
  size_bytes INTEGER NOT NULL,
  etag TEXT,
  checksum TEXT,                   -- composite of a multipart object (base64-N)
  stored_at REAL,                  -- NULL while the key is only reserved
  variant_digest BLOB,             -- of a variant's own bytes
  PRIMARY KEY (destination_id, key)
) WITHOUT ROWID;
-- Questions by content say `+destination_id`: SQLite would else look through all objects of the
-- destination, since it takes the first column of the primary key for as good as this index.
CREATE INDEX object_content ON object (content_id, destination_id);
CREATE INDEX object_copy ON object (asset_id) WHERE asset_id IS NOT NULL;
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  run_id TEXT NOT NULL,            -- perhaps of one that was forgotten
  ended_at REAL NOT NULL,
  seconds REAL NOT NULL,
  outcome TEXT NOT NULL,           -- done, skipped, failed
  error_class TEXT,
  error TEXT,
  request_id TEXT
);
CREATE INDEX attempt_item ON attempt (item_id);
CREATE TABLE accepted_failure (
  item_id INTEGER PRIMARY KEY REFERENCES item (id) ON DELETE CASCADE,
  attempts INTEGER NOT NULL,       -- the item's when accepted; one more, and it counts again
  accepted_at REAL NOT NULL
);
CREATE TABLE upload (
  item_id INTEGER PRIMARY KEY,     -- perhaps of one that was deleted: the upload is to be aborted
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  upload_id TEXT NOT NULL,
  part_bytes INTEGER NOT NULL,
  begun_at REAL NOT NULL
);
CREATE INDEX upload_destination ON upload (destination_id);
CREATE TABLE part (
  item_id INTEGER NOT NULL REFERENCES upload (item_id) ON DELETE CASCADE,
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
  process_started TEXT NOT NULL,   -- differs for a later process with the same pid
  started_at REAL NOT NULL,
  heartbeat_at REAL NOT NULL,
  ended_at REAL,
  exit_code INTEGER,
  summary TEXT                     -- JSON
);
CREATE INDEX run_open ON run (ended_at) WHERE ended_at IS NULL;
CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES run (id), -- the last one that worked on it
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  options TEXT NOT NULL,           -- JSON: all that is needed to continue it
  started_at REAL NOT NULL,
  ended_at REAL
);
CREATE INDEX batch_last_run ON batch (run_id);
CREATE TABLE batch_run (
  batch_id INTEGER NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
  run_id TEXT NOT NULL REFERENCES run (id),
  started_at REAL NOT NULL,
  ended_at REAL,
  exit_code INTEGER,
  summary TEXT,                    -- JSON: of this batch alone
  PRIMARY KEY (batch_id, run_id)
) WITHOUT ROWID;
CREATE INDEX batch_run_run ON batch_run (run_id);
CREATE TABLE batch_root (
  batch_id INTEGER NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
  root_id INTEGER NOT NULL REFERENCES root (id) ON DELETE CASCADE,
  walked_at REAL,                  -- NULL while the walk has not come to its end
  PRIMARY KEY (batch_id, root_id)
) WITHOUT ROWID;
CREATE TABLE manifest_copy (         -- that this manifest sent; others have their own
  destination_id INTEGER NOT NULL REFERENCES destination (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,            -- of the compressed bytes
  size_bytes INTEGER NOT NULL,
  sent_at REAL NOT NULL,
  PRIMARY KEY (destination_id, key)
) WITHOUT ROWID;
CREATE TABLE manifest_copy_due (     -- where the manifest changed since its last copy was sent
  destination_id INTEGER PRIMARY KEY REFERENCES destination (id) ON DELETE CASCADE
);
CREATE TABLE latency (
  stage TEXT NOT NULL CHECK (stage = 'upload' OR stage = 'process' OR stage = 'embed'),
  bucket INTEGER NOT NULL,         -- an attempt of about 2**(bucket/8) ms
  attempts INTEGER NOT NULL,
  PRIMARY KEY (stage, bucket)
) WITHOUT ROWID;

CREATE TABLE picture (
  content_id INTEGER PRIMARY KEY REFERENCES content (id),
  width_px INTEGER NOT NULL,       -- as displayed, after the orientation
  height_px INTEGER NOT NULL,
  format TEXT NOT NULL,
  orientation INTEGER NOT NULL,    -- EXIF, 1 to 8
  taken_at TEXT,                   -- ISO 8601 by the camera's clock; with an offset where known
  camera TEXT,
  lens TEXT,
  f_number REAL,
  exposure_seconds REAL,
  iso INTEGER,
  focal_length_mm REAL,
  latitude REAL,                   -- degrees north and east, WGS 84
  longitude REAL,
  altitude_metres REAL,
  perceptual_hash TEXT,            -- 64 bits, 16 hex characters
  is_truncated INTEGER NOT NULL,   -- 1: its data ended early
  rating INTEGER,                  -- from here on what persons wrote
  title TEXT,
  description TEXT,
  keywords TEXT,                   -- a JSON array
  date_rank INTEGER NOT NULL DEFAULT 0, -- 0: it was taken at `taken_at`, 1: digitised, 2: changed
  taken_from TEXT,                 -- what says so: exif, xmp, video
  live_id TEXT,                    -- Apple's ContentIdentifier: of a picture and of its video
  burst_id TEXT,                   -- of all pictures of a burst
  motion_bytes INTEGER             -- of the video at the end of a motion photo
);
CREATE INDEX picture_live ON picture (live_id) WHERE live_id IS NOT NULL;
CREATE INDEX picture_burst ON picture (burst_id) WHERE burst_id IS NOT NULL;
CREATE INDEX picture_motion ON picture (motion_bytes) WHERE motion_bytes IS NOT NULL;
CREATE TABLE embedder (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  dimension INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0, -- grows when one of its vectors is changed or removed
  token TEXT NOT NULL DEFAULT (lower(hex(randomblob(8)))), -- its own in every manifest
  UNIQUE (name, version)
);
CREATE TABLE embedding (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- what is newer has a higher one
  embedder_id INTEGER NOT NULL REFERENCES embedder (id),
  content_id INTEGER NOT NULL REFERENCES content (id),
  vector BLOB NOT NULL,            -- float16, little-endian, of length 1
  classes BLOB,                    -- pairs of uint16 number and float16 probability, best first
  embedded_at REAL NOT NULL,
  UNIQUE (embedder_id, content_id)
);
CREATE INDEX embedding_content ON embedding (content_id);
CREATE TRIGGER embedding_changed AFTER UPDATE ON embedding BEGIN
  UPDATE embedder SET generation = generation + 1 WHERE id = new.embedder_id;
END;
CREATE TRIGGER embedding_removed AFTER DELETE ON embedding BEGIN
  UPDATE embedder SET generation = generation + 1 WHERE id = old.embedder_id;
END;
"""
