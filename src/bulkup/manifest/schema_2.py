"""The second migration: pictures, variants and embeddings.

    picture      what a content says of itself, once it is processed
    embedder     a model and its version         embedding    a content's unit vector by one of them

A variant is a row of `object` with its own digest; its kind is the variant's name.
"""

from __future__ import annotations

SECOND = """
ALTER TABLE object ADD COLUMN variant_digest BLOB; -- of the variant's own bytes
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
  rating INTEGER,                  -- from here on by an XMP sidecar
  title TEXT,
  description TEXT,
  keywords TEXT                    -- a JSON array
);
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
CREATE TRIGGER embedding_changed AFTER UPDATE ON embedding BEGIN
  UPDATE embedder SET generation = generation + 1 WHERE id = new.embedder_id;
END;
CREATE TRIGGER embedding_removed AFTER DELETE ON embedding BEGIN
  UPDATE embedder SET generation = generation + 1 WHERE id = old.embedder_id;
END;
-- The queue of the stages after the upload: by destination, not by batch.
CREATE INDEX item_later ON item (destination_id, stage, priority, due_at, id)
  WHERE state IN ('ready', 'waiting') AND stage <> 'upload';

DROP VIEW batches;
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
  json_extract(batch_run.summary, '$.seconds') AS seconds,
  json_extract(batch_run.summary, '$.processed') AS processed,
  json_extract(batch_run.summary, '$.embedded') AS embedded
FROM batch_run
JOIN batch ON batch.id = batch_run.batch_id
JOIN run ON run.id = batch_run.run_id
JOIN destination ON destination.id = batch.destination_id;

CREATE VIEW pictures AS
SELECT
  root.path AS root,
  -- as in the view files
  CASE WHEN 'blob' IN (typeof(folder.path), typeof(asset.name))
    THEN CAST(folder.path || asset.name AS BLOB) ELSE folder.path || asset.name END AS path,
  lower(hex(content.digest)) AS digest,
  asset.size_bytes,
  picture.width_px, picture.height_px, picture.format, picture.orientation, picture.taken_at,
  picture.camera, picture.lens, picture.f_number, picture.exposure_seconds, picture.iso,
  picture.focal_length_mm, picture.latitude, picture.longitude, picture.altitude_metres,
  picture.perceptual_hash, picture.is_truncated, picture.rating, picture.title,
  picture.description, picture.keywords
FROM picture
JOIN content ON content.id = picture.content_id
JOIN asset ON asset.content_id = content.id
JOIN folder ON folder.id = asset.folder_id
JOIN root ON root.id = folder.root_id;
"""
